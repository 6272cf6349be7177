/*
 * The table of the codes that a line `code WORD` may name.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "latent/latent.h"

const cae_latent *const cae_latents[] = {&cae_latent_gaussian, NULL};
