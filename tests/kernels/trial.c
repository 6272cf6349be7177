/*
 * Random contents, guarded buffers and the comparison; see trial.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include "trial.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numbers.h"

void trial_begin_case(trial *t, uint64_t seed, size_t number)
{
    t->number = number;
    t->random = seed ^ (number + 1) * 0x9e3779b97f4a7c15u;
}

void trial_fail(trial *t, const char *kernel, const char *detail)
{
    t->failures++;
    if (!t->quiet && t->failures <= 20) {
        fprintf(stderr, "%s: tier %s differs from %s in case %zu: %s\n", kernel, t->tier->name,
                t->reference->name, t->number, detail);
    }
}

/* ---- Random contents --------------------------------------------------------------------------
 */

uint64_t draw(trial *t)
{
    return random_next(&t->random);
}

size_t draw_below(trial *t, size_t end)
{
    return (size_t)(draw(t) >> 16) % end;
}

size_t draw_from(trial *t, size_t first, size_t last)
{
    return first + draw_below(t, last - first + 1);
}

bool draw_chance(trial *t, size_t one_in)
{
    return draw_below(t, one_in) == 0;
}

static float draw_ordinary(trial *t)
{
    return (float)(int32_t)(draw(t) >> 32) * 0x1p-31f;
}

static float draw_hostile(trial *t)
{
    static const float values[] = {NAN,       -NAN,       INFINITY,  -INFINITY,  0.0f,    -0.0f,
                                   0x1p-149f, -0x1p-149f, 0x1p-127f, -0x1p-140f, FLT_MIN, -FLT_MIN,
                                   FLT_MAX,   -FLT_MAX,   1e30f,     -1e30f,     88.0f,   -87.0f,
                                   0.625f,    -0.625f,    1.0f,      -1.0f,      100.0f,  -104.0f};
    return values[draw_below(t, sizeof(values) / sizeof(values[0]))];
}

void draw_floats(trial *t, float *values, size_t len)
{
    const size_t kind = draw_below(t, 8);
    for (size_t i = 0; i < len; i++) {
        const float x = draw_ordinary(t);
        switch (kind) {
        case 0:
            values[i] = draw_chance(t, 8) ? draw_hostile(t) : x;
            break;
        case 1:
            values[i] = x * 0x1p-126f;
            break;
        case 2:
            values[i] = x * 0x1p126f;
            break;
        case 3:
            values[i] = (float)draw_below(t, 3) - 1.0f;
            break;
        case 4:
            values[i] = x * 20.0f;
            break;
        default:
            values[i] = x;
        }
    }
}

/* ---- Guarded buffers --------------------------------------------------------------------------
 */

static uint8_t *slots[SLOTS];

static uint8_t *open_slot(int slot)
{
    if (slots[slot] == NULL) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *all =
            mmap(NULL, SLOT_SIZE + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) {
            perror("mmap");
            exit(1);
        }
        slots[slot] = all + page;
    }
    if (mprotect(slots[slot], SLOT_SIZE, PROT_READ | PROT_WRITE) != 0) {
        perror("mprotect");
        exit(1);
    }
    return slots[slot];
}

void lock_slot(int slot)
{
    if (mprotect(slots[slot], SLOT_SIZE, PROT_READ) != 0) {
        perror("mprotect");
        exit(1);
    }
}

size_t slack(void)
{
    const char *wish = getenv("CAE_TEST_SLACK");
    return wish != NULL ? (size_t)strtoull(wish, NULL, 10) : 0;
}

void *place(trial *t, int slot, size_t size)
{
    uint8_t *first = open_slot(slot);
    if (size > SLOT_SIZE - 64) {
        fprintf(stderr, "a case needs a larger slot than %d bytes\n", SLOT_SIZE);
        exit(1);
    }
    switch (draw_below(t, 4)) {
    case 0:
        return first;
    case 1:
        return first + sizeof(float) * draw_from(t, 1, 15);
    default:
        return first + SLOT_SIZE - slack() - size;
    }
}

float *place_floats(trial *t, int slot, size_t len)
{
    float *values = place(t, slot, len * sizeof(*values));
    draw_floats(t, values, len);
    return values;
}

float *place_copy(trial *t, int slot, const float *values, size_t len)
{
    float *copy = place(t, slot, len * sizeof(*copy));
    memcpy(copy, values, len * sizeof(*copy));
    return copy;
}

bool floats_equal(trial *t, const char *kernel, const char *what, const float *reference,
                  const float *tier, size_t len)
{
    if (memcmp(reference, tier, len * sizeof(*tier)) == 0) {
        return true;
    }
    for (size_t i = 0; i < len; i++) {
        const bool both_nan = isnan(reference[i]) && isnan(tier[i]);
        if (!both_nan && memcmp(reference + i, tier + i, sizeof(*tier)) != 0) {
            char detail[200];
            snprintf(detail, sizeof(detail), "%s[%zu of %zu] is %a, should be %a", what, i, len,
                     (double)tier[i], (double)reference[i]);
            trial_fail(t, kernel, detail);
            return false;
        }
    }
    return true;
}
