/*
 * The activations against the C library's functions in double: the reference says what is computed,
 * this says that it is what it claims to be. The bounds are a few units in the last place; they
 * were chosen from the polynomials' published errors, not from what came out.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>

#include "trial.h"

enum { POINTS = 400001, BLOCK = 1024 };

typedef struct curve {
    const char *name;
    cae_activation activation;
    double (*exact)(double);
    double range; /* x in -range .. range */
    double floor; /* below this magnitude the error counts in absolute terms */
    double lowest, highest;
} curve;

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact_leaky(double x)
{
    return x < 0 ? 0.01 * x : x;
}

static double exact_relu(double x)
{
    return x < 0 ? 0 : x;
}

static const curve curves[] = {
    {"sigmoid", CAE_SIGMOID, exact_sigmoid, 87, 1e-37, 0, 1},
    /* exp is clamped at 88, so the far left ends at exp(-88) = 6e-39 instead of 0 */
    {"sigmoid", CAE_SIGMOID, exact_sigmoid, 120, 2e-32, 0, 1},
    {"sigmoid", CAE_SIGMOID, exact_sigmoid, 2, 1e-37, 0, 1},
    {"tanh", CAE_TANH, tanh, 50, 1e-37, -1, 1},
    {"tanh", CAE_TANH, tanh, 1, 1e-37, -1, 1},
    {"tanh", CAE_TANH, tanh, 1e-20, 1e-37, -1, 1},
    {"leaky", CAE_LEAKY, exact_leaky, 1000, 1e-37, -10, 1000},
    {"relu", CAE_RELU, exact_relu, 1000, 1e-37, 0, 1000},
};

enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

static const double allowed = 4e-7;

static bool point_is_good(const curve *c, float x, float y, float left)
{
    const double exact = c->exact(x);
    const double scale = fmax(fabs(exact), c->floor);
    const double error = fabs((double)y - exact) / scale;
    /* Never falling by more than the error that is allowed anyway. */
    const bool rising = (double)y >= (double)left - allowed * fabs((double)left);
    const bool inside = (double)y >= c->lowest && (double)y <= c->highest;
    if (error <= allowed && rising && inside) {
        return true;
    }
    fprintf(stderr, "%s(%a) = %a, exactly %.17g, relative error %.2g%s%s\n", c->name, (double)x,
            (double)y, exact, error, rising ? "" : ", falling", inside ? "" : ", out of range");
    return false;
}

static size_t check_curve(const cae_kernels *tier, const curve *c)
{
    size_t faults = 0;
    float left = (float)c->lowest;
    for (size_t at = 0; at < POINTS && faults < 5; at += BLOCK) {
        const size_t len = POINTS - at < BLOCK ? POINTS - at : BLOCK;
        float x[BLOCK], y[BLOCK];
        for (size_t i = 0; i < len; i++) {
            x[i] = (float)(c->range * (2.0 * (double)(at + i) / (POINTS - 1) - 1));
            y[i] = x[i];
        }
        tier->activate(c->activation, y, len);
        for (size_t i = 0; i < len && faults < 5; i++) {
            faults += !point_is_good(c, x[i], y[i], left);
            left = y[i];
        }
    }
    return faults;
}

/* A derivative in terms of y against the difference quotient of the exact curve. */
static size_t check_derivative(const cae_kernels *tier, const curve *c)
{
    size_t faults = 0;
    for (int i = -40; i <= 40; i++) {
        const double x = 0.0937 * i + 0.01;
        const double h = 1e-6;
        const double exact = (c->exact(x + h) - c->exact(x - h)) / (2 * h);
        float y = (float)x;
        float dy = 1.0f;
        tier->activate(c->activation, &y, 1);
        tier->activate_back(c->activation, &y, &dy, 1);
        if (fabs((double)dy - exact) > 1e-6) {
            fprintf(stderr, "%s'(%g) = %g, exactly %g\n", c->name, x, (double)dy, exact);
            faults++;
        }
    }
    return faults;
}

size_t check_accuracy(const cae_kernels *tier)
{
    size_t faults = 0;
    for (size_t i = 0; i < CURVES; i++) {
        faults += check_curve(tier, &curves[i]);
        faults += check_derivative(tier, &curves[i]);
    }
    return faults;
}
