/*
 * The convolutions of the paper's CAE in oneDNN, behind bench.py: forward, and backward to data and
 * weights, in whatever layouts oneDNN likes best, with bias and activation but without reorders, pools
 * and Adam. So it is a bound from below for a training step built on oneDNN 2. Its number of threads
 * comes from OMP_NUM_THREADS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <chrono>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

using dnnl::memory;
using dims = memory::dims;

namespace
{

struct Layer {
    bool transposed;
    int in, out, in_side, out_side, kernel, stride, pad;
};

/* One primitive with its memory. */
struct Piece {
    dnnl::primitive run;
    std::unordered_map<int, memory> arguments;
};

struct Session {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::vector<Piece> inference, forward, backward;
};

memory::desc any(const dims &shape)
{
    return memory::desc(shape, memory::data_type::f32, memory::format_tag::any);
}

memory filled(Session &s, const memory::desc &shape)
{
    memory made(shape, s.engine);
    float *values = static_cast<float *>(made.get_data_handle());
    unsigned state = 1;
    for (std::size_t i = 0; i < shape.get_size() / sizeof(float); i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        values[i] = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
    return made;
}

template <class Description>
Piece forward_piece(Session &s, const Description &d, const dnnl::primitive &run)
{
    return {run,
            {{DNNL_ARG_SRC, filled(s, d.src_desc())},
             {DNNL_ARG_WEIGHTS, filled(s, d.weights_desc())},
             {DNNL_ARG_BIAS, filled(s, d.bias_desc())},
             {DNNL_ARG_DST, filled(s, d.dst_desc())}}};
}

/* Forward, Data and Weights are oneDNN's three kinds of primitive for a (de)convolution. */
template <class Forward, class Data, class Weights>
void add_layer(Session &s, const Layer &l, dnnl::algorithm algorithm, int batch, bool first,
               bool last)
{
    const dims source{batch, l.in, l.in_side, l.in_side};
    const dims result{batch, l.out, l.out_side, l.out_side};
    const dims weights{l.out, l.in, l.kernel, l.kernel};
    const dims stride{l.stride, l.stride}, pad{l.pad, l.pad};
    const memory::desc bias({l.out}, memory::data_type::f32, memory::format_tag::x);
    dnnl::post_ops activation;
    dnnl::primitive_attr attributes;
    activation.append_eltwise(
        1.0f, last ? dnnl::algorithm::eltwise_logistic : dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attributes.set_post_ops(activation);

    const auto describe = [&](dnnl::prop_kind kind) {
        return typename Forward::primitive_desc(
            typename Forward::desc(kind, algorithm, any(source), any(weights), bias, any(result),
                                   stride, pad, pad),
            attributes, s.engine);
    };
    const auto inference = describe(dnnl::prop_kind::forward_inference);
    const auto training = describe(dnnl::prop_kind::forward_training);
    s.inference.push_back(forward_piece(s, inference, Forward(inference)));
    s.forward.push_back(forward_piece(s, training, Forward(training)));
    if (!first) {
        const typename Data::primitive_desc d(typename Data::desc(algorithm, any(source),
                                                                  any(weights), any(result), stride,
                                                                  pad, pad),
                                              s.engine, training);
        s.backward.push_back({Data(d),
                              {{DNNL_ARG_DIFF_SRC, filled(s, d.diff_src_desc())},
                               {DNNL_ARG_WEIGHTS, filled(s, d.weights_desc())},
                               {DNNL_ARG_DIFF_DST, filled(s, d.diff_dst_desc())}}});
    }
    const typename Weights::primitive_desc w(typename Weights::desc(algorithm, any(source),
                                                                    any(weights), bias, any(result),
                                                                    stride, pad, pad),
                                             s.engine, training);
    s.backward.push_back({Weights(w),
                          {{DNNL_ARG_SRC, filled(s, w.src_desc())},
                           {DNNL_ARG_DIFF_WEIGHTS, filled(s, w.diff_weights_desc())},
                           {DNNL_ARG_DIFF_BIAS, filled(s, w.diff_bias_desc())},
                           {DNNL_ARG_DIFF_DST, filled(s, w.diff_dst_desc())}}});
}

void open(Session &s, const std::string &preset)
{
    const int batch = 32;
    const int code = preset == "cae-denoise" ? 64 : 32;
    const std::vector<Layer> layers = {
        {false, 1, 32, 64, 64, 3, 1, 1},    {false, 32, 64, 32, 32, 3, 1, 1},
        {false, 64, code, 16, 16, 3, 1, 1}, {true, code, 64, 8, 17, 5, 2, 1},
        {true, 64, 32, 17, 33, 3, 2, 1},    {true, 32, 16, 33, 64, 2, 2, 1},
        {true, 16, 1, 64, 64, 3, 1, 1}};
    s.inference.clear();
    s.forward.clear();
    s.backward.clear();
    for (std::size_t i = 0; i < layers.size(); i++) {
        const bool first = i == 0, last = i + 1 == layers.size();
        if (layers[i].transposed) {
            add_layer<dnnl::deconvolution_forward, dnnl::deconvolution_backward_data,
                      dnnl::deconvolution_backward_weights>(
                s, layers[i], dnnl::algorithm::deconvolution_direct, batch, first, last);
        } else {
            add_layer<dnnl::convolution_forward, dnnl::convolution_backward_data,
                      dnnl::convolution_backward_weights>(
                s, layers[i], dnnl::algorithm::convolution_direct, batch, first, last);
        }
    }
    const bool wide = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core &&
                      dnnl::get_effective_cpu_isa() != dnnl::cpu_isa::avx2_vnni;
    std::cout << "{\"isa\":\"" << (wide ? "AVX-512" : "at most AVX2") << "\"}" << std::endl;
}

void run(Session &s, std::vector<Piece> &pieces)
{
    for (Piece &piece : pieces) {
        piece.run.execute(s.stream, piece.arguments);
    }
    s.stream.wait();
}

double thread_time()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void call(Session &s, const std::string &name)
{
    const auto wall = std::chrono::steady_clock::now();
    const double cpu = thread_time();
    if (name == "train") {
        run(s, s.forward);
        run(s, s.backward);
    } else {
        run(s, s.inference);
    }
    const double cpu_spent = thread_time() - cpu;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - wall;
    std::cout << "{\"cpu\":" << cpu_spent << ",\"wall\":" << spent.count() << "}" << std::endl;
}

} // namespace

int main()
{
    std::string line, command, word;
    try {
        Session session;
        while (std::getline(std::cin, line)) {
            std::istringstream words(line);
            words >> command >> word;
            if (command == "open") {
                open(session, word);
            } else {
                call(session, word);
            }
        }
    } catch (const dnnl::error &error) {
        std::cout << "{\"error\":\"" << error.what() << "\"}" << std::endl;
        return 1;
    }
    return 0;
}
