/*
 * Splits images of people so that no person is in both parts: how a network works for unseen people
 * can only be measured on images of other people.
 *
 * A person is known by the image's name. In PERSON/NAME it is PERSON; else it is the name without
 * its ending and without a number behind a last `_`: PERSON in PERSON_0001.png. So a name without
 * such a number is a person of its own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_PEOPLE_H
#define CAE_TOOL_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image_set.h"

/* How many bytes at the beginning of a name are the person. */
size_t people_person_len(const char *name);

struct people_split {
    bool *apart; /* of each image: whether it is set aside */
    size_t people, people_apart, images_apart;
};

/* Sets aside about `fraction` (between 0 and 1) of the images, all of some people: people are taken
 * in an order that belongs to the seed, each if their images still fit in; at least the one with
 * the fewest. The split depends on the set of names, the fraction and the seed, not on the order of
 * the names. It is a failure when there is only one person; `folder` is for the message. */
int people_split(struct people_split *split, char *const *names, size_t len, double fraction,
                 uint64_t seed, const char *folder);
void people_split_free(struct people_split *split);

/* The same for a set: those set aside move to `apart`. Says how many images and people there are.
 */
int people_split_set(struct image_set *set, double fraction, uint64_t seed,
                     struct image_set *apart);

#endif
