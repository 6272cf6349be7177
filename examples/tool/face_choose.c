/*
 * What a face is like: every parameter of face_form.h, drawn from the seed and the face's number
 * one after the other. The order of the draws is part of the result: a new parameter goes to the
 * end. SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>

#include "face_form.h"
#include "random.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

/* Layer 0 of the face's numbers, in the order of drawing; the textures use layers from 1 on. */
struct source {
    uint64_t seed, number, count;
};

static double between(struct source *s, double low, double high)
{
    return mix(low, high, random_unit(s->seed, RANDOM_FACE, s->number, s->count++));
}

/* Likewise, but the middle is more likely than the ends. */
static double around(struct source *s, double low, double high)
{
    const double a = between(s, low, high), b = between(s, low, high), c = between(s, low, high);
    return (a + b + c) / 3;
}

static bool chance(struct source *s, double probability)
{
    return between(s, 0, 1) < probability;
}

static void choose_pose(struct face *f, struct source *s)
{
    f->x = around(s, -0.12, 0.12);
    f->y = around(s, -0.10, 0.14);
    f->width = around(s, 0.66, 0.92);
    f->height = f->width * around(s, 1.18, 1.5);
    const double lean = around(s, -0.35, 0.35); /* tangent of the angle */
    f->cos = 1 / sqrt(1 + lean * lean);
    f->sin = lean * f->cos;
    f->yaw = around(s, -0.5, 0.5);
    f->pitch = around(s, -0.16, 0.16);
    f->jaw = between(s, 0, 0.9);
    f->cheeks = between(s, 0, 0.1);
}

static void choose_light(struct face *f, struct source *s)
{
    const double x = around(s, -1.6, 1.6), y = around(s, -1.4, 0.3), z = 1;
    const double length = sqrt(x * x + y * y + z * z);
    f->light[0] = x / length;
    f->light[1] = y / length;
    f->light[2] = z / length;
    f->ambient = between(s, 0.25, 0.65);
    f->shine = between(s, 0, 0.22);
    f->exposure = around(s, 0.75, 1.3);
}

static void choose_scene(struct face *f, struct source *s)
{
    f->skin = between(s, 0.38, 0.85);
    f->freckles = between(s, 0.01, 0.08);
    f->back = between(s, 0.05, 0.95);
    f->slope_x = around(s, -0.4, 0.4);
    f->slope_y = around(s, -0.4, 0.4);
    f->clutter = square(between(s, 0, 0.75));
    f->clutter_scale = between(s, 0.8, 4);
    f->clothes = between(s, 0.05, 0.95);
    f->glasses = chance(s, 0.18);
    f->rim = between(s, 0.012, 0.035);
    f->rim_tone = between(s, 0.03, 0.5);
}

static void choose_features(struct face *f, struct source *s)
{
    struct eyes *e = &f->eyes;
    e->x = around(s, 0.33, 0.45);
    e->y = around(s, -0.24, -0.12);
    e->width = around(s, 0.14, 0.2);
    e->opening = around(s, 0.025, 0.085);
    e->iris = around(s, 0.055, 0.08);
    e->gaze = around(s, -0.07, 0.07);
    e->tone = between(s, 0.05, 0.45);
    e->lid = between(s, 0.1, 0.7);

    struct brows *b = &f->brows;
    b->y = e->y - around(s, 0.11, 0.21);
    b->length = around(s, 0.17, 0.27);
    b->thickness = around(s, 0.015, 0.06);
    b->arch = between(s, 0, 0.07);
    b->slant = around(s, -0.2, 0.2);

    struct nose *n = &f->nose;
    n->top = e->y - 0.05;
    n->tip = around(s, 0.08, 0.24);
    n->width = around(s, 0.1, 0.2);
    n->height = around(s, 0.14, 0.32);

    struct mouth *m = &f->mouth;
    m->y = n->tip + around(s, 0.2, 0.34);
    m->width = around(s, 0.22, 0.4);
    m->upper = around(s, 0.02, 0.06);
    m->lower = around(s, 0.03, 0.09);
    m->smile = around(s, -0.05, 0.14);
    m->gap = chance(s, 0.4) ? between(s, 0.01, 0.1) : 0;
    m->teeth = chance(s, 0.8);
    m->tone = around(s, 0.5, 0.9);
}

static void choose_hair(struct face *f, struct source *s)
{
    struct hair *h = &f->hair;
    h->bald = chance(s, 0.1);
    h->tone = square(between(s, 0.15, 0.85));
    h->contrast = between(s, 0.2, 0.8);
    h->line = around(s, -0.95, -0.45);
    h->peak = around(s, -0.25, 0.35);
    h->parting = around(s, -0.5, 0.5);
    h->volume = between(s, 1.04, 1.3);
    h->sides = chance(s, 0.45) ? between(s, 0.4, 1.4) : between(s, -0.4, 0.1);
    f->brows.tone = clamp(h->tone * between(s, 0.5, 1.1), 0.04, 0.5);
    const bool bearded = chance(s, 0.3);
    f->beard.density = bearded ? between(s, 0.15, 0.85) : 0;
    f->beard.top = between(s, 0.1, 0.5);
    f->beard.moustache = chance(s, bearded ? 0.8 : 0.06) ? between(s, 0.3, 0.9) : 0;
}

struct face face_choose(uint64_t seed, uint64_t number, size_t size)
{
    struct face f = {.seed = seed, .number = number, .pixel = 2.0 / (double)size};
    struct source s = {.seed = seed, .number = number};
    choose_pose(&f, &s);
    choose_light(&f, &s);
    choose_scene(&f, &s);
    choose_features(&f, &s);
    choose_hair(&f, &s);
    return f;
}
