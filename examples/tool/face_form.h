/*
 * The parameters of a face, between face_choose.c, which draws them from the seed, and face.c,
 * which draws the picture from them. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_FACE_FORM_H
#define CAE_TOOL_FACE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eyes {
    double x, y, width, opening, iris, gaze, tone, lid;
};

struct brows {
    double y, length, thickness, arch, slant, tone;
};

struct nose {
    double top, tip, width, height;
};

struct mouth {
    double y, width, upper, lower, smile, gap, tone;
    bool teeth;
};

struct hair {
    double tone, contrast, line, peak, parting, volume, sides;
    bool bald;
};

struct beard {
    double density, top, moustache;
};

struct face {
    uint64_t seed, number;                /* key of the textures */
    double x, y, width, height, cos, sin; /* where the head is, and how it leans */
    double yaw, pitch, jaw, cheeks;       /* how it turns, and its form */
    double light[3], ambient, shine;      /* towards the light, unit length */
    double skin, freckles;                /* tones are reflectances from 0 to 1 */
    double back, slope_x, slope_y, clutter, clutter_scale;
    double clothes, exposure;
    struct eyes eyes;
    struct brows brows;
    struct nose nose;
    struct mouth mouth;
    struct hair hair;
    struct beard beard;
    bool glasses;
    double rim, rim_tone;
    double pixel; /* the side of a pixel in picture units: the width of soft edges */
};

/* Chooses face `number` of `seed`. */
struct face face_choose(uint64_t seed, uint64_t number, size_t size);

/* ---- Small functions ------------------------------------------------------------------------- */

static inline double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static inline double square(double x)
{
    return x * x;
}

static inline double mix(double a, double b, double share)
{
    return a + (b - a) * share;
}

#endif
