/*
 * SHA-256 against the examples of NIST (FIPS 180-4 example values, and the vectors of its
 * validation programme for lengths around a block), in pieces of every size.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "serial/sha256.h"

static void expect_digest(const void *data, size_t size, size_t piece, const char *expected)
{
    cae_sha256 sha;
    uint8_t digest[32];
    char hex[65];
    const char *at = data;
    cae_sha256_start(&sha);
    while (size > 0) {
        const size_t part = size < piece ? size : piece;
        cae_sha256_add(&sha, at, part);
        at += part;
        size -= part;
    }
    cae_sha256_finish(&sha, digest);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    ck_assert_str_eq(hex, expected);
}

START_TEST(published_examples)
{
    static const struct {
        const char *text, *digest;
    } examples[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
         "klmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        for (size_t piece = 1; piece < 130; piece++) {
            expect_digest(examples[i].text, strlen(examples[i].text), piece, examples[i].digest);
        }
    }
}
END_TEST

START_TEST(a_million_times_a)
{
    static char text[1000000];
    memset(text, 'a', sizeof(text));
    expect_digest(text, sizeof(text), 4099,
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* Around the places where the padding needs one more block: zeros of every such length. The digests
 * come from another implementation (GNU coreutils). */
START_TEST(lengths_around_the_padding)
{
    static const char zeros[128];
    static const struct {
        size_t size;
        const char *digest;
    } cases[] = {
        {55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
        {56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
        {57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
        {63, "c7723fa1e0127975e49e62e753db53924c1bd84b8ac1ac08df78d09270f3d971"},
        {64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {65, "98ce42deef51d40269d542f5314bef2c7468d401ad5d85168bfab4c0108f75f7"},
        {119, "f616b0d54e78571a9611f343c9f8e022e859e920381ab0e4d3da01e193a7bd7e"},
        {120, "6edd9f6f9cc92cded36e6c4a580933f9c9f1b90562b46903b806f21902a1a54f"},
        {128, "38723a2e5e8a17aa7950dc008209944e898f69a7bd10a23c839d341e935fd5ca"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_digest(zeros, cases[i].size, 7, cases[i].digest);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        published_examples,
        a_million_times_a,
        lengths_around_the_padding,
        NULL,
    };
    return unit_run("sha256", tests);
}
