/*
 * The class and the exception of examples/embed/embed.cpp, which is included: that they carry what
 * C promises. install.sh builds it with the sanitizers where it can.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define main embed_main
#include "embed.cpp"
#undef main

#include <type_traits>
#include <utility>

using cae::Model;

static_assert(!std::is_copy_constructible<Model>::value, "a copy may fail");
static_assert(!std::is_copy_assignable<Model>::value, "a copy may fail");
static_assert(std::is_nothrow_move_constructible<Model>::value, "goes into containers");
static_assert(std::is_nothrow_move_assignable<Model>::value, "goes into containers");
static_assert(std::is_convertible<Model &, cae_model *>::value, "trains");
static_assert(std::is_convertible<const Model &, const cae_model *>::value, "is used");
static_assert(!std::is_convertible<const Model &, cae_model *>::value,
              "a shared one does not train");
static_assert(!std::is_convertible<Model, cae_model *>::value, "a pointer would outlive it");
static_assert(!std::is_convertible<Model, const cae_model *>::value, "a pointer would outlive it");
static_assert(!std::is_convertible<const Model, const cae_model *>::value,
              "a pointer would outlive it");

namespace
{

const char *const tiny = "input 1 8 8\nconv 2 kernel 3 pad 1 relu\ncode\nconv 1 kernel 1\n";
int failures;

void expect(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "FAILED: %s\n", what);
        failures++;
    }
}

template <typename Call> void expect_error(Call call, int status, const char *word)
{
    try {
        call();
        expect(false, "no exception");
    } catch (const cae::Error &error) {
        expect(error.status() == status, error.what());
        expect(std::string(error.what()).find(word) != std::string::npos, error.what());
    }
}

} // namespace

int main()
{
    expect_error([] { Model("input 1 8 8\nconvolve 3\n"); }, CAE_E_SYNTAX, "line 2");
    expect_error([] { Model::load("/nonexistent/model"); }, CAE_E_IO, "/nonexistent/model");

    Model first(tiny), second(tiny, 2);
    second = std::move(first); // frees the second's own
    float loss = -1, images[64] = {0.5f};
    check(cae_train_step(second, images, images, 1, 8, 8, &loss));
    expect(loss >= 0, "the model moved");
    expect_error([&] { check(cae_train_apply(first)); }, CAE_E_ARGUMENT, "NULL");

    std::vector<Model> models;
    for (std::uint64_t seed = 0; seed < 10; seed++)
        models.emplace_back(tiny, seed);
    const std::vector<Model> &shared = models;
    expect(cae_tensor_count(shared[9]) == 4, "models in a container");

    std::printf(failures == 0 ? "the class holds\n" : "the class does not hold\n");
    return failures != 0;
}
