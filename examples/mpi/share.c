/*
 * The dealing of files and batches to ranks: see share.h. The places of a rank have numbers of
 * their own, q, in their order. Its files among the numbers k * batch to (k + 1) * batch - 1 are
 * row k: one for each of its places, in their order; the last row may be short. So of the rank's
 * own files number k * places + q is that of row k and place q.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "share.h"

#include <stdlib.h>

#include <mpi.h>

#include <cae/cae.h>

#include "message.h"
#include "random.h"

/* ---- Places ---------------------------------------------------------------------------------- */

size_t share_default_parts(size_t ranks, size_t batch)
{
    size_t parts = ranks;
    while (parts < 4 && 2 * parts <= batch) {
        parts *= 2;
    }
    return parts;
}

/* The place in the batch that is number q among this rank's. */
static size_t place_of(const struct share *s, size_t q)
{
    return q / s->own_parts * s->parts + s->first_part + q % s->own_parts;
}

/* How many of the first `total` places of a batch are rank `rank`'s. */
static size_t places_of(const struct share *s, size_t rank, size_t total)
{
    const size_t first = rank * s->own_parts, rest = total % s->parts;
    const size_t more = rest < first ? 0 : rest - first;
    return total / s->parts * s->own_parts + (more < s->own_parts ? more : s->own_parts);
}

size_t share_part_count(const struct share *s, size_t part)
{
    return part < s->total ? (s->total - part - 1) / s->parts + 1 : 0;
}

size_t share_part_start(const struct share *s, size_t part)
{
    size_t start = 0;
    for (size_t earlier = s->first_part; earlier < part; earlier++) {
        start += share_part_count(s, earlier);
    }
    return start;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Takes this rank's names out of all. */
static int pick(struct share *s, struct image_set *all)
{
    bool *mine = calloc(all->len, sizeof *mine);
    if (mine == NULL) {
        return fail("%s: out of memory", all->folder);
    }
    for (size_t i = 0; i < all->len; i++) {
        mine[i] = i % s->batch % s->parts / s->own_parts == s->ranks.rank;
    }
    const int result = image_set_part(all, mine, &s->data.set);
    free(mine);
    return result;
}

static uint64_t hash_names(const struct image_set *set)
{
    uint64_t hash = set->len;
    for (size_t i = 0; i < set->len; i++) {
        hash = 31 * hash + random_from_name(set->names[i]);
    }
    return hash;
}

static int list(struct share *s, const char *folder, size_t limit)
{
    struct image_set all = {0};
    int result = ranks_agree(image_set_list(&all, folder, limit));
    if (result == DONE && !ranks_same(hash_names(&all))) {
        result = fail("%s: holds other files than rank 0 finds there (%zu here)", folder, all.len);
    }
    s->files = all.len;
    if (result == DONE) {
        result = pick(s, &all);
    }
    image_set_free(&all);
    return ranks_agree(result);
}

static int check_sizes(const struct image_set *set, const size_t shape[3])
{
    int result = DONE;
    for (size_t i = 0; i < set->len; i++) {
        const struct image *image = &set->images[i];
        if (image->height < shape[1] || image->width < shape[2]) {
            result =
                fail("%s/%s: %zu x %zu is smaller than the training size %zu x %zu", set->folder,
                     set->names[i], image->width, image->height, shape[2], shape[1]);
        }
    }
    return result;
}

/* Reads this rank's files; a rank of more than there are places has none. */
static int read_files(struct share *s, const struct preparation *preparation, const size_t shape[3])
{
    struct image_set *set = &s->data.set;
    const size_t wanted = set->len;
    if (wanted == 0) {
        return DONE;
    }
    if (image_set_read(set, shape[0], preparation) != DONE || set->left_out > 0) {
        return fail("%s: all files must be usable; %zu of this rank's %zu are not", set->folder,
                    set->left_out, wanted);
    }
    return check_sizes(set, shape) == DONE ? train_data_start(&s->data, shape) : FAILED;
}

/* ---- Batches --------------------------------------------------------------------------------- */

uint64_t share_steps(const struct share *s)
{
    return (s->files - 1) / s->batch + 1;
}

/* Fisher and Yates' shuffle of the files of this rank's place q. */
static void shuffle_place(struct share *s, uint64_t epoch, size_t q)
{
    size_t *order = s->data.order + q; /* row k at k * places */
    const size_t place = place_of(s, q);
    const size_t rows = (s->files - place - 1) / s->batch + 1;
    for (size_t k = 0; k < rows; k++) {
        order[k * s->places] = k * s->places + q;
    }
    for (size_t k = rows - 1; k > 0; k--) {
        const uint64_t bits =
            random_bits(s->data.seed, RANDOM_ORDER, epoch, (uint64_t)k * s->batch + place);
        const size_t j = (size_t)(bits % (k + 1));
        const size_t other = order[j * s->places];
        order[j * s->places] = order[k * s->places];
        order[k * s->places] = other;
    }
}

static void shuffle(struct share *s, uint64_t epoch)
{
    for (size_t q = 0; q < s->places; q++) {
        shuffle_place(s, epoch, q);
    }
    s->data.order_epoch = epoch;
}

/* The number among all files of this rank's own file `index`. */
static uint64_t number_of(const struct share *s, size_t index)
{
    return (uint64_t)(index / s->places) * s->batch + place_of(s, index % s->places);
}

/* Puts the image of row `row` and this rank's place q of the batch at `to`. */
static int view(struct share *s, uint64_t epoch, size_t row, size_t q, size_t to)
{
    const size_t index = s->data.order[row * s->places + q];
    return train_data_view(&s->data, &s->data.set.images[index], epoch, number_of(s, index), to);
}

int share_fill(struct share *s, uint64_t step)
{
    const uint64_t epoch = step / share_steps(s);
    const size_t row = (size_t)(step % share_steps(s)), left = s->files - row * s->batch;
    size_t filled = 0;
    if (epoch != s->data.order_epoch) {
        shuffle(s, epoch);
    }
    s->total = left < s->batch ? left : s->batch;
    s->count = places_of(s, s->ranks.rank, s->total);
    for (size_t part = 0; part < s->own_parts; part++) {
        for (size_t q = part; q < s->places && place_of(s, q) < s->total; q += s->own_parts) {
            if (view(s, epoch, row, q, filled++) != DONE) {
                return FAILED;
            }
        }
    }
    return DONE;
}

int share_open(struct share *s, const struct ranks *ranks, const char *folder, size_t limit,
               const struct preparation *preparation, const size_t shape[3])
{
    s->ranks = *ranks;
    s->own_parts = s->parts / ranks->count;
    s->first_part = ranks->rank * s->own_parts;
    if (list(s, folder, limit) != DONE) {
        return FAILED;
    }
    s->places = places_of(s, ranks->rank, s->files < s->batch ? s->files : s->batch);
    s->data.batch = s->places;
    s->data.channels = shape[0];
    s->data.height = shape[1];
    s->data.width = shape[2];
    const int result = ranks_agree(read_files(s, preparation, shape));
    if (result == DONE) {
        shuffle(s, 0);
    }
    return result;
}

void share_free(struct share *s)
{
    train_data_free(&s->data);
}

int share_facts(const struct share *s, bool reproducible, struct train_facts *facts)
{
    uint32_t *each = calloc(s->files, sizeof *each);
    if (ranks_agree(each != NULL ? DONE : fail("%zu images: out of memory", s->files)) != DONE) {
        free(each);
        return FAILED;
    }
    for (size_t i = 0; i < s->data.set.len; i++) {
        each[i / s->places * s->batch + place_of(s, i % s->places)] =
            train_pixels(&s->data.set.images[i]);
    }
    /* Each is one rank's, and 0 on the others. */
    MPI_Allreduce(MPI_IN_PLACE, each, (int)s->files, MPI_UINT32_T, MPI_BOR, MPI_COMM_WORLD);
    *facts = (struct train_facts){.seed = s->data.seed,
                                  .batch = s->batch,
                                  .parts = s->parts,
                                  .noise = s->data.noise,
                                  .schedule = "",
                                  .reproducible = reproducible,
                                  .images = s->files,
                                  .pixels = train_pixels_of_all(each, s->files)};
    free(each);
    return DONE;
}

/* ---- All ranks' images ----------------------------------------------------------------------- */

/* This rank's images for the fit, whose number goes into *count. */
static int collect(const struct share *s, float **images, int *count)
{
    const size_t len = s->data.channels * s->data.height * s->data.width;
    const struct image_set *set = &s->data.set;
    size_t found = 0;
    for (size_t i = 0; i < set->len; i++) {
        found += train_data_fits(&s->data, s->files, number_of(s, i));
    }
    *count = (int)found;
    *images = calloc(found + 1, len * sizeof **images); /* never nothing, which may be NULL */
    if (*images == NULL) {
        return fail("%zu images for the code's ranges: out of memory", found);
    }
    float *at = *images;
    for (size_t i = 0; i < set->len; i++) {
        const uint64_t number = number_of(s, i);
        if (train_data_fits(&s->data, s->files, number)) {
            if (train_data_input(&s->data, &set->images[i], number, at) != DONE) {
                return FAILED;
            }
            at += len;
        }
    }
    return DONE;
}

/* Images, not floats: MPI counts with int. */
static void exchange(const struct share *s, const float *own, int *counts, int *starts,
                     float *images)
{
    MPI_Datatype image;
    MPI_Type_contiguous((int)(s->data.channels * s->data.height * s->data.width), MPI_FLOAT,
                        &image);
    MPI_Type_commit(&image);
    MPI_Allgatherv(own, counts[s->ranks.rank], image, images, counts, starts, image,
                   MPI_COMM_WORLD);
    MPI_Type_free(&image);
}

int share_gather(const struct share *s, float **images, size_t *count)
{
    const size_t len = s->data.channels * s->data.height * s->data.width;
    int *counts = calloc(s->ranks.count, sizeof *counts);
    int *starts = calloc(s->ranks.count, sizeof *starts);
    float *own = NULL;
    int own_count = 0;
    int result = counts != NULL && starts != NULL ? collect(s, &own, &own_count)
                                                  : fail("the code's ranges: out of memory");
    *images = NULL;
    *count = 0;
    if ((result = ranks_agree(result)) == DONE) {
        MPI_Allgather(&own_count, 1, MPI_INT, counts, 1, MPI_INT, MPI_COMM_WORLD);
        for (size_t rank = 0; rank < s->ranks.count; rank++) {
            starts[rank] = (int)*count;
            *count += (size_t)counts[rank];
        }
        *images = calloc(*count, len * sizeof **images);
        result = ranks_agree(*images != NULL ? DONE
                                             : fail("%zu images for the code's ranges: out of "
                                                    "memory",
                                                    *count));
    }
    if (result == DONE) {
        exchange(s, own, counts, starts, *images);
    }
    free(own);
    free(counts);
    free(starts);
    return result;
}
