/*
 * Splits by person: see people.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "random.h"

struct entry {
    const char *name; /* of the image; its first person_len bytes are the person */
    size_t person_len;
    size_t index; /* among the names */
};

struct person {
    size_t first, len; /* of the entries */
    uint64_t place;    /* in the seed's order */
};

size_t people_person_len(const char *name)
{
    const char *slash = strchr(name, '/');
    if (slash != NULL) {
        return (size_t)(slash - name);
    }
    const char *dot = strrchr(name, '.');
    const size_t stem_len = dot != NULL ? (size_t)(dot - name) : strlen(name);
    size_t len = stem_len;
    while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9') {
        len--;
    }
    return len < stem_len && len > 1 && name[len - 1] == '_' ? len - 1 : stem_len;
}

static int compare_people(const struct entry *a, const struct entry *b)
{
    const size_t shorter = a->person_len < b->person_len ? a->person_len : b->person_len;
    const int order = memcmp(a->name, b->name, shorter);
    return order != 0 ? order : (a->person_len > b->person_len) - (a->person_len < b->person_len);
}

static int by_person(const void *a, const void *b)
{
    return compare_people(a, b);
}

/* Equal places, should there ever be any, keep the order of the people's names. */
static int by_place(const void *a, const void *b)
{
    const struct person *p = a, *q = b;
    return p->place != q->place ? (p->place > q->place) - (p->place < q->place)
                                : (p->first > q->first) - (p->first < q->first);
}

/* Sorts the entries by person and the people by place; returns the number of people. */
static size_t line_up(struct entry *entries, size_t len, uint64_t seed, struct person *people)
{
    size_t people_len = 0;
    qsort(entries, len, sizeof *entries, by_person);
    for (size_t i = 0; i < len; i++) {
        const struct entry *entry = &entries[i];
        if (i == 0 || compare_people(entry - 1, entry) != 0) {
            const uint64_t name = random_from_bytes(entry->name, entry->person_len);
            people[people_len++] =
                (struct person){.first = i, .place = random_bits(seed, RANDOM_PEOPLE, name, 0)};
        }
        people[people_len - 1].len++;
    }
    qsort(people, people_len, sizeof *people, by_place);
    return people_len;
}

static void take(struct people_split *split, const struct entry *entries,
                 const struct person *person)
{
    for (size_t i = 0; i < person->len; i++) {
        split->apart[entries[person->first + i].index] = true;
    }
    split->people_apart++;
    split->images_apart += person->len;
}

/* Takes people who fit in; `wanted` is below the number of images, so that not all are taken. */
static void choose(struct people_split *split, const struct entry *entries,
                   const struct person *people, size_t wanted)
{
    size_t fewest = 0;
    for (size_t i = 0; i < split->people; i++) {
        if (people[i].len <= wanted - split->images_apart) {
            take(split, entries, &people[i]);
        }
        if (people[i].len < people[fewest].len) {
            fewest = i;
        }
    }
    if (split->people_apart == 0) {
        take(split, entries, &people[fewest]);
    }
}

int people_split(struct people_split *split, char *const *names, size_t len, double fraction,
                 uint64_t seed, const char *folder)
{
    int result = FAILED;
    *split = (struct people_split){.apart = calloc(len + 1, sizeof *split->apart)};
    struct entry *entries = calloc(len + 1, sizeof *entries);
    struct person *people = calloc(len + 1, sizeof *people);
    if (split->apart == NULL || entries == NULL || people == NULL) {
        fail("%s: out of memory", folder);
        goto done;
    }
    for (size_t i = 0; i < len; i++) {
        entries[i] = (struct entry){names[i], people_person_len(names[i]), i};
    }
    split->people = line_up(entries, len, seed, people);
    if (split->people < 2) {
        fail("%s: cannot be split by person: all of its images show one person", folder);
        goto done;
    }
    const double wanted = floor(fraction * (double)len + 0.5);
    choose(split, entries, people, wanted < (double)len ? (size_t)wanted : len - 1);
    result = DONE;
done:
    free(entries);
    free(people);
    if (result != DONE) {
        people_split_free(split);
    }
    return result;
}

void people_split_free(struct people_split *split)
{
    free(split->apart);
    *split = (struct people_split){0};
}

int people_split_set(struct image_set *set, double fraction, uint64_t seed, struct image_set *apart)
{
    struct people_split split;
    if (people_split(&split, set->names, set->len, fraction, seed, set->folder) != DONE) {
        return FAILED;
    }
    const int result = image_set_part(set, split.apart, apart);
    if (result == DONE) {
        message_result("%s: %zu images of %zu people to train on, %zu of %zu others to measure on",
                       set->folder, set->len, split.people - split.people_apart, apart->len,
                       split.people_apart);
    }
    people_split_free(&split);
    return result;
}
