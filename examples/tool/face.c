/*
 * Parametric grey faces: see face.h. Each pixel is worked out by itself, from back to front: back-
 * ground, neck, hair, skin with its features, fringe, glasses. Only + - * / and sqrt are used,
 * which IEEE 754 rounds correctly everywhere; no libm function that may differ between machines.
 *
 * Three planes of coordinates, all with y down:
 *   picture   x and y from -1 to 1
 *   head      u and v, turned and scaled with the head, whose outline is near the unit circle
 *   features  the head's surface as seen from straight ahead: turning the head shifts them by depth
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "face.h"

#include <float.h>
#include <math.h>

#include "face_form.h"
#include "random.h"

/* ---- Small functions ------------------------------------------------------------------------- */

/* 0 below `low`, 1 above `high`, a cubic in between. */
static double smooth(double low, double high, double x)
{
    const double t = clamp((x - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
}

/* 1 inside (distance below 0), 0 outside, soft over about a pixel and a half. */
static double inside(const struct face *f, double distance)
{
    return 1 - smooth(-0.75 * f->pixel, 0.75 * f->pixel, distance);
}

/* A smooth hill of height 1 on an ellipse. */
static double hill(double x, double y, double radius_x, double radius_y)
{
    const double q = square(x / radius_x) + square(y / radius_y);
    return q >= 1 ? 0 : square(1 - q) * (1 - q);
}

/* Smooth noise from 0 to 1 on a grid of side 1; `layer` makes independent ones. */
static double noise(const struct face *f, uint64_t layer, double x, double y)
{
    const double column = floor(x), row = floor(y);
    const double s = smooth(0, 1, x - column), t = smooth(0, 1, y - row);
    double corner[4];
    for (int i = 0; i < 4; i++) {
        const uint64_t at_x = (uint64_t)(int64_t)column + (uint64_t)(i & 1);
        const uint64_t at_y = (uint64_t)(int64_t)row + (uint64_t)(i >> 1);
        const uint64_t place = layer << 56 ^ (at_x & 0xfffffff) << 28 ^ (at_y & 0xfffffff);
        corner[i] = random_unit(f->seed, RANDOM_FACE, f->number, place);
    }
    return mix(mix(corner[0], corner[1], s), mix(corner[2], corner[3], s), t);
}

/* ---- Form and light -------------------------------------------------------------------------- */

/* The head's outline is where this is 1: a circle whose lower half the jaw makes square. */
static double roundness(const struct face *f, double u, double v)
{
    const double jaw = v > 0 ? f->jaw : 0.3;
    return u * u + v * v * (1 - jaw + jaw * v * v) - f->cheeks * hill(u * u - 0.9, v - 0.3, 1, 0.6);
}

/* How far the face's surface stands out at a place in feature coordinates. */
static double relief(const struct face *f, double x, double y)
{
    const struct nose *n = &f->nose;
    const double side = x < 0 ? -x : x;
    const double along = clamp((y - n->top) / (n->tip - n->top), 0, 1);
    const double ridge = n->width * (0.55 + 0.45 * along);
    double h = 0.75 * n->height * (0.2 + 0.8 * along * along) * hill(x, 0, ridge, 1) *
               smooth(n->top - 0.1, n->top + 0.1, y) *
               (1 - smooth(n->tip - 0.05, n->tip + 0.13, y));
    h += 0.4 * n->height * hill(x, y - n->tip + 0.02, n->width * 0.9, 0.13); /* tip */
    h += 0.07 * hill(side - n->width * 0.8, y - n->tip, 0.09, 0.08);         /* wings */
    h -= 0.13 * hill(side - f->eyes.x, y - f->eyes.y, 0.27, 0.19);           /* sockets */
    h += 0.07 * hill(side - f->eyes.x, y - f->eyes.y, 0.17, 0.1);            /* eyeballs */
    h += 0.06 * hill(side - 0.3, y - f->brows.y, 0.4, 0.14);                 /* brows */
    h += 0.07 * hill(side - 0.48, y - n->tip, 0.3, 0.26);                    /* cheekbones */
    h += 0.06 * hill(x, y - f->mouth.y, f->mouth.width * 1.2, 0.18);         /* lips */
    h -= 0.05 * hill(x, y - f->mouth.y - 0.15, 0.24, 0.07);                  /* below them */
    h += 0.09 * hill(x, y - f->mouth.y - 0.29, 0.3, 0.17);                   /* chin */
    return h;
}

/* Light on the skin at head (u, v), where the ball's depth is z and the features are (x, y). */
static double light_on_skin(const struct face *f, double u, double v, double z, double x, double y)
{
    const double step = 0.01, here = relief(f, x, y);
    const double slope_x = (relief(f, x + step, y) - here) / step;
    const double slope_y = (relief(f, x, y + step) - here) / step;
    /* The ball's own slopes are -u/z and -v/z; flattened, since faces are flatter than balls. */
    const double depth = z + 0.35;
    const double nx = u / depth - slope_x, ny = 0.8 * v / depth - slope_y;
    const double length = sqrt(nx * nx + ny * ny + 1);
    const double cosine = (nx * f->light[0] + ny * f->light[1] + f->light[2]) / length;
    const double lit = clamp((cosine + 0.15) / 1.15, 0, 1);
    const double glint = square(square(square(lit)));
    return f->ambient + (1.05 - f->ambient) * lit + f->shine * glint;
}

/* ---- Features -------------------------------------------------------------------------------- */

static double paint_eye(const struct face *f, double tone, double x, double y, double side)
{
    const struct eyes *e = &f->eyes;
    const double dx = x - side * e->x, dy = y - e->y;
    const double t = dx / e->width, bow = 1 - t * t;
    if (t < -1.4 || t > 1.4 || dy < -0.25 || dy > 0.2) {
        return tone;
    }
    const double upper = -e->opening * 1.2 * bow, lower = e->opening * 0.8 * bow;
    const double crease = inside(f, fabs(dy - upper + 0.05) - 0.008) * smooth(0, 0.5, bow);
    tone *= 1 - 0.4 * e->lid * crease;

    const double open = inside(f, upper - dy) * inside(f, dy - lower);
    const double from_iris = sqrt(square(dx - e->gaze) + square(dy + 0.1 * e->opening));
    double eye = 0.62 + 0.25 * f->skin - 0.25 * t * t;
    eye = mix(eye, e->tone * f->skin, inside(f, from_iris - e->iris));
    eye = mix(eye, 0.03, inside(f, from_iris - 0.45 * e->iris));
    const double glint_x = dx - e->gaze - 0.3 * e->iris * f->light[0];
    const double glint = inside(f, sqrt(square(glint_x) + square(dy + 0.02)) - 0.012);
    eye = mix(eye, 1, 0.7 * glint);
    tone = mix(tone, eye, open);
    const double lash = inside(f, fabs(dy - upper) - 0.012) * smooth(-0.05, 0.3, bow);
    return mix(tone, 0.08, 0.75 * lash);
}

static double paint_brow(const struct face *f, double tone, double x, double y, double side)
{
    const struct brows *b = &f->brows;
    const double t = (side * x - 0.36) / b->length;
    const double middle = b->y + b->slant * 0.2 * t - b->arch * (1 - t * t);
    const double thick = b->thickness * (1.1 - 0.5 * t) * (1 - square(square(t)));
    const double cover = thick <= 0 ? 0 : inside(f, fabs(y - middle) - thick);
    const double hairs = 0.75 + 0.25 * noise(f, 1, 40 * x, 14 * y);
    return mix(tone, b->tone, 0.85 * cover * hairs);
}

static double paint_nose(const struct face *f, double tone, double x, double y)
{
    const struct nose *n = &f->nose;
    const double side = fabs(x);
    const double nostril = hill(side - 0.5 * n->width, y - n->tip - 0.065, 0.055, 0.04);
    const double below = hill(x, y - n->tip - 0.11, 0.17, 0.06);
    const double fold_x = side - n->width - 0.05 - 0.45 * (y - n->tip);
    const double fold = hill(fold_x, y - n->tip - 0.16, 0.035, 0.2);
    return tone * (1 - 0.75 * nostril) * (1 - 0.2 * below) * (1 - 0.2 * fold);
}

static double paint_mouth(const struct face *f, double tone, double x, double y)
{
    const struct mouth *m = &f->mouth;
    const double t = x / m->width, bow = 1 - t * t;
    if (bow <= -0.3) {
        return tone;
    }
    const double line = m->y - m->smile * (t * t - 0.4), gap = m->gap * (bow > 0 ? bow : 0);
    const double dip = m->upper * 0.35 * hill(t, 0, 0.25, 1);
    const double top = line - gap / 2 - m->upper * bow + dip,
                 bottom = line + gap / 2 + m->lower * bow;
    const double lips = inside(f, top - y) * inside(f, y - bottom) * smooth(0, 0.1, bow);
    const double sheen = 1 + 0.25 * hill(x, y - line - 0.55 * m->lower - gap / 2, m->width, 0.03);
    tone = mix(tone, tone * m->tone * sheen, lips);
    const double open = inside(f, fabs(y - line) - gap / 2) * smooth(0, 0.15, bow) * (gap > 0);
    tone = mix(tone, m->teeth && y < line + gap * 0.3 ? 0.82 : 0.07, open);
    const double seam = inside(f, fabs(y - line) - 0.012) * smooth(-0.1, 0.2, bow) * (gap <= 0.02);
    return mix(tone, 0.1, 0.7 * seam);
}

static double paint_beard(const struct face *f, double tone, double x, double y)
{
    const struct beard *b = &f->beard;
    const struct mouth *m = &f->mouth;
    const double edge = b->top + 0.15 * noise(f, 2, 6 * x, 6 * y) - 0.6 * (x * x - 0.2);
    const double bare = hill(x, y - m->y, m->width * 1.15, 0.13);
    const double chin = smooth(edge, edge + 0.22, y) * (1 - clamp(2.5 * bare, 0, 1));
    const double lip = m->y - m->upper - 0.05 - 0.5 * m->gap;
    const double moustache = hill(x, y - lip - 0.25 * x * x, m->width * 1.1, 0.075);
    const double cover = clamp(b->density * chin + b->moustache * 1.6 * moustache, 0, 0.92);
    const double hairs = 0.6 + 0.4 * noise(f, 3, 34 * x, 22 * y);
    return mix(tone, f->hair.tone * 0.7 + 0.03, cover * hairs);
}

static double paint_glasses(const struct face *f, double tone, double x, double y)
{
    const double side = fabs(x);
    const double dx = (side - f->eyes.x) / 0.24, dy = (y - f->eyes.y - 0.03) / 0.17;
    const double shape = sqrt(sqrt(square(dx * dx) + square(dy * dy))); /* 1 on the rim */
    const double rim = inside(f, 0.2 * fabs(shape - 1) - f->rim);
    const double bridge = inside(f, fabs(y - f->eyes.y + 0.02) - f->rim) * (side < f->eyes.x - 0.2);
    const double arm = inside(f, fabs(y - f->eyes.y + 0.03) - f->rim) * (side > f->eyes.x + 0.23);
    const double glass = shape < 1 ? 0.04 : 0;
    tone = mix(tone, 1, glass);
    return mix(tone, f->rim_tone, clamp(rim + bridge + arm, 0, 1));
}

/* The face's skin with everything on it, lit, at head (u, v). */
static double paint_skin(const struct face *f, double u, double v)
{
    const double r = u * u + v * v;
    const double z = sqrt(r < 1 ? 1 - r : 0);
    const double x = u - f->yaw * (z - 0.35), y = v - f->pitch * (z - 0.35);
    double tone = f->skin * (1 + f->freckles * (noise(f, 4, 9 * x, 9 * y) - 0.5) +
                             f->freckles * (noise(f, 5, 28 * x, 28 * y) - 0.5));
    tone = paint_nose(f, tone, x, y);
    tone = paint_mouth(f, tone, x, y);
    if (f->beard.density + f->beard.moustache > 0) {
        tone = paint_beard(f, tone, x, y);
    }
    const double side = x < 0 ? -1 : 1;
    tone = paint_eye(f, tone, x, y, side);
    tone = paint_brow(f, tone, x, y, side);
    tone *= light_on_skin(f, u, v, z, x, y);
    return f->glasses ? paint_glasses(f, tone, x, y) : tone;
}

/* ---- Around the face ------------------------------------------------------------------------- */

static double paint_background(const struct face *f, double x, double y)
{
    const double scale = f->clutter_scale;
    const double coarse = noise(f, 6, scale * x + 8, scale * y + 8);
    const double fine = noise(f, 7, 3 * scale * x + 8, 3 * scale * y + 8);
    const double clutter = f->clutter * (1.2 * (coarse - 0.5) + 0.6 * (fine - 0.5));
    return clamp(f->back + f->slope_x * x + f->slope_y * y + clutter, 0.02, 1);
}

static double paint_hair(const struct face *f, double u, double v)
{
    const double from_parting = u - f->hair.parting;
    const double strand =
        noise(f, 8, 16 * from_parting + 4 * v * v, 3 * v - 2 * fabs(from_parting));
    const double lock = noise(f, 9, 5 * from_parting, 2 * v);
    const double sheen = clamp(0.7 - 0.5 * v + 0.5 * u * f->light[0], 0.3, 1.5);
    const double texture = 1 + f->hair.contrast * (0.7 * (strand - 0.5) + 0.8 * (lock - 0.5));
    return (f->hair.tone * texture + 0.03) * (f->ambient + (1.1 - f->ambient) * sheen);
}

/* Neck and clothes, which stand upright whatever the head does. */
static double paint_body(const struct face *f, double tone, double x, double y)
{
    const double chin = f->y + f->height, middle = x - f->x;
    const double shade = f->ambient + 0.35 * clamp(0.5 + middle * f->light[0] / f->width, 0, 1);
    const double neck = inside(f, fabs(middle) - 0.58 * f->width) * inside(f, chin - 0.55 - y);
    tone = mix(tone, 0.8 * f->skin * shade, neck);
    const double collar =
        chin + 0.02 + 0.25 * square(middle) - 0.12 * smooth(0.1, 0.5, fabs(middle));
    const double cloth = f->clothes * shade * (0.9 + 0.2 * noise(f, 10, 12 * x, 12 * y));
    return mix(tone, cloth, inside(f, collar - y));
}

/* The share of hair in front of the skin at head (u, v): above the hairline, and down the sides. */
static double fringe(const struct face *f, double u, double v)
{
    const struct hair *h = &f->hair;
    const double t = u - h->parting * 0.6;
    const double wave = 0.1 * (noise(f, 11, 7 * u + 3, 0.5) - 0.5);
    const double line = h->line + h->peak * t * t + wave - 0.04 * hill(t, 0, 0.1, 1);
    const double top = inside(f, (v - line) * f->height * 0.7);
    const double temple = 0.9 - 0.14 * smooth(-0.6, 0.4, h->sides);
    const double sides = inside(f, (temple - fabs(u) - 0.05 * v) * f->width) *
                         inside(f, (v - h->sides) * f->height * 0.5);
    return clamp(top + sides, 0, 1);
}

static double paint_pixel(const struct face *f, double x, double y)
{
    const double dx = x - f->x, dy = y - f->y;
    const double u = (f->cos * dx + f->sin * dy) / f->width;
    const double v = (f->cos * dy - f->sin * dx) / f->height;
    double tone = paint_body(f, paint_background(f, x, y), x, y);

    const double outline = roundness(f, u, v);
    const double hair = f->hair.bald ? 0 : 1;
    const double edge = f->hair.volume + 0.08 * (noise(f, 12, 4 * u + 8, 4 * v + 8) - 0.5);
    const double mane = hair * inside(f, (sqrt(u * u + v * v * 0.92) - edge) * f->width) *
                        inside(f, (v - f->hair.sides - 0.1) * f->height * 0.5);
    const double ear = inside(
        f, (sqrt(square((fabs(u) - 1.0) / 0.11) + square((v + 0.02) / 0.2)) - 1) * 0.1 * f->width);
    const double skin = inside(f, 0.5 * (outline - 1) * f->width);
    if (mane > 0) {
        tone = mix(tone, paint_hair(f, u, v), mane);
    }
    if (ear > 0 && f->hair.sides < 0.15) {
        tone = mix(tone, f->skin * (f->ambient + 0.2 + 0.3 * u * f->light[0]), ear);
    }
    if (skin > 0) {
        tone = mix(tone, paint_skin(f, u, v), skin);
    }
    if (hair > 0 && skin > 0) {
        tone = mix(tone, paint_hair(f, u, v), fringe(f, u, v));
    }
    return tone * f->exposure;
}

bool face_is_exact(void)
{
    return FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1; /* 1 widens float, not double */
}

void face_draw(uint64_t seed, uint64_t number, size_t size, uint8_t *pixels)
{
    const struct face f = face_choose(seed, number, size);
    for (size_t row = 0; row < size; row++) {
        for (size_t column = 0; column < size; column++) {
            const double x = ((double)column + 0.5) * f.pixel - 1;
            const double y = ((double)row + 0.5) * f.pixel - 1;
            const double tone = clamp(paint_pixel(&f, x, y), 0, 1);
            *pixels++ = (uint8_t)(255 * tone + 0.5);
        }
    }
}
