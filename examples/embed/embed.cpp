/*
 * embed.cpp - libcae inside a C++ program: a class owns a model, an error becomes an exception.
 * Trains a small network on images that it draws itself, saves and loads it, cleans a noisy image,
 * compresses and restores pixels.
 *
 *     c++ -std=c++11 -o embed embed.cpp $(pkg-config --cflags --libs libcae) && ./embed
 *
 * Writes embed.safetensors into the current folder. CMakeLists.txt beside it does the same with
 * CMake.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <cae/cae.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cae
{

/* status() is for the program to decide by, what() for people. */
class Error : public std::runtime_error
{
  public:
    explicit Error(int status)
        : std::runtime_error(std::string(cae_strerror(status)) + ": " + cae_last_error()),
          status_(status)
    {
    }

    int status() const noexcept
    {
        return status_;
    }

  private:
    int status_;
};

/* The message is this thread's, so it is fetched at once. */
inline void check(int status)
{
    if (status != CAE_OK)
        throw Error(status);
}

/*
 * Owns a model: it can be moved, not copied (cae_model_copy may fail). It goes where C takes a
 * model, so no function needs a second form; and, which a bare unique_ptr would not do, a const
 * Model goes only where C takes a const one. What threads share as `const Model &` they cannot
 * train: the compiler says so.
 */
class Model
{
  public:
    explicit Model(const std::string &architecture, std::uint64_t seed = 1)
    {
        cae_model *made = nullptr;
        check(cae_model_new(&made, architecture.c_str(), seed));
        model_.reset(made);
    }

    static Model load(const std::string &path)
    {
        cae_model *made = nullptr;
        check(cae_model_load(&made, path.c_str()));
        return Model(made);
    }

    operator cae_model *() &noexcept
    {
        return model_.get();
    }

    operator const cae_model *() const &noexcept
    {
        return model_.get();
    }

    /* `cae_model *p = cae::Model("cae-compress");` would leave p without a model. */
    operator cae_model *() && = delete;
    operator const cae_model *() const && = delete;

  private:
    struct Free {
        void operator()(cae_model *model) const noexcept
        {
            cae_model_free(model);
        }
    };

    explicit Model(cae_model *made) noexcept : model_(made)
    {
    }

    std::unique_ptr<cae_model, Free> model_;
};

} // namespace cae

namespace
{

using cae::check;
using Image = std::vector<float>;

const std::size_t side = 32;
const float sigma = 25.0f / 255.0f; // the noise, on the scale [0,1]

/* A bright square on a dark ramp, `count` of them one after another. */
Image draw(std::size_t count, std::size_t first)
{
    Image images(count * side * side);
    for (std::size_t i = 0; i < images.size(); i++) {
        const std::size_t number = first + i / (side * side);
        const std::size_t y = i / side % side, x = i % side;
        const std::size_t top = number * 5 % 20, left = number * 7 % 23;
        const bool inside = y >= top && y < top + 9 && x >= left && x < left + 9;
        images[i] = inside ? 0.9f : 0.1f + 0.4f * static_cast<float>(y) / side;
    }
    return images;
}

double mean_squared_error(const Image &a, const Image &b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); i++)
        sum += static_cast<double>(a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
    return sum / static_cast<double>(a.size());
}

void train(cae::Model &model, std::size_t steps)
{
    const std::size_t batch = 16;
    float loss = 0;
    for (std::size_t step = 0; step < steps; step++) {
        const Image clean = draw(batch, step * batch);
        Image noisy = clean;
        check(cae_add_noise(noisy.data(), noisy.size(), sigma, step));
        check(cae_train_step(model, noisy.data(), clean.data(), batch, side, side, &loss));
        if ((step + 1) % 100 == 0)
            std::printf("step %u: loss %.5f\n", static_cast<unsigned>(step + 1),
                        static_cast<double>(loss));
    }
}

void denoise(const cae::Model &model)
{
    const Image clean = draw(1, 123456);
    Image noisy = clean, restored(clean.size());
    check(cae_add_noise(noisy.data(), noisy.size(), sigma, 99));
    check(cae_denoise(model, noisy.data(), 1, side, side, sigma, restored.data()));
    std::printf("mean squared error: noisy %.5f, de-noised %.5f\n",
                mean_squared_error(noisy, clean), mean_squared_error(restored, clean));
}

void compress(const cae::Model &model)
{
    const std::size_t height = 45, width = 31; // any size will do
    std::vector<std::uint8_t> pixels(height * width);
    for (std::size_t i = 0; i < pixels.size(); i++)
        pixels[i] = static_cast<std::uint8_t>(i / width > 20 ? 220 : 40 + i % width);

    std::vector<unsigned char> data(cae_compress_bound(model, height, width));
    std::size_t size = 0, shape[3];
    check(cae_compress(model, pixels.data(), height, width, width, 0, data.data(), data.size(),
                       &size));
    data.resize(size);
    check(cae_compressed_info(data.data(), data.size(), shape));
    std::vector<std::uint8_t> restored(shape[0] * shape[1] * shape[2]);
    check(cae_decompress(model, data.data(), data.size(), restored.data(), shape[1], shape[2],
                         shape[2] * shape[0]));
    std::printf("compressed %u bytes of pixels to %u; pixel (5, 5) was %d, is %d\n",
                static_cast<unsigned>(pixels.size()), static_cast<unsigned>(size),
                pixels[5 * width + 5], restored[5 * width + 5]);
}

void run()
{
    const char *const architecture = "input 1 32 32\n"
                                     "conv 16 kernel 3 pad 1 relu\n"
                                     "maxpool 2\n"
                                     "conv 8 kernel 3 pad 1 relu\n"
                                     "code\n"
                                     "tconv 16 kernel 2 stride 2 relu\n"
                                     "conv 1 kernel 3 pad 1 sigmoid\n";
    const std::string path = "embed.safetensors";

    cae::Model trained(architecture);
    check(cae_model_set(trained, "threads", 0)); // all processors
    train(trained, 300);
    check(cae_model_save(trained, path.c_str(), 0));

    const cae::Model model = cae::Model::load(path);
    std::printf("saved and loaded %s\n", path.c_str());
    denoise(model);
    compress(model);
}

} // namespace

int main()
{
    try {
        std::printf("libcae %s\n", cae_version_string());
        run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "embed: %s\n", error.what());
        return 1;
    }
    return 0;
}
