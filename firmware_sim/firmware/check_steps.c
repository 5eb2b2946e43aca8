/* Records that go over their operands by counts and steps: no combination of them may leave its memory. */
#include "check.h"

/* Runs once for an image: small is better than fast. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

enum { TABLE_WORDS = 256 };

/* Whether loops from `place`, which is in the image if below 0, stay in its memory. */
static int reaches(const image_header *image, int32_t place, const int32_t *counts, const int32_t *steps, int32_t axes) {
    const extent all = place < 0 ? image->bytes : image->arena_bytes;
    extent low = place < 0 ? ~place : place, high = low;
    for (int32_t axis = 0; axis < axes; axis++) {
        const extent reach = ((extent)counts[axis] - 1) * steps[axis];
        if (counts[axis] < 1 || reach > INT32_MAX || reach < INT32_MIN) {
            return 0;
        }
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    return low >= 0 && high < all;
}

int check_binary(const image_header *image, const void *record) {
    const binary_record *op = record;
    const extent values = times(volume(op->counts[0], op->counts[1], op->counts[2]), op->counts[3]);
    return in_arena(image, op->out, values) && reaches(image, op->a, op->counts, op->a_steps, 4) &&
           reaches(image, op->b, op->counts, op->b_steps, 4) &&
           (op->kind != BINARY_SUM || in_image(image, op->table, 4 * TABLE_WORDS));
}

int check_copy(const image_header *image, const void *record) {
    const copy_record *op = record;
    const extent words = RECORD_WORDS(op->head);
    if (op->pieces < 0 || (extent)sizeof *op + (extent)op->pieces * (extent)sizeof *op->piece > 4 * words) {
        return 0;
    }
    for (const copy_piece *piece = op->piece; piece < op->piece + op->pieces; piece++) {
        const int32_t *counts = piece->counts;
        const extent values = times(times(volume(counts[0], counts[1], counts[2]), counts[3]), counts[4]);
        if (piece->out < 0 || !few(image, values) || !reaches(image, piece->in, piece->counts, piece->in_steps, 5) ||
            !reaches(image, piece->out, piece->counts, piece->out_steps, 5)) {
            return 0;
        }
    }
    return in_arena(image, op->out, op->fill_bytes);
}

/* Whether `count` places of a table in the image are below `length`. */
static int below(const image_header *image, int32_t table, int32_t count, int32_t length) {
    if (!in_image(image, table, times(sizeof(uint16_t), count))) {
        return 0;
    }
    const uint16_t *places = (const uint16_t *)((const uint8_t *)image + table);
    for (int32_t at = 0; at < count; at++) {
        if (places[at] >= length) {
            return 0;
        }
    }
    return 1;
}

int check_resize(const image_header *image, const void *record) {
    const resize_record *op = record;
    return in_arena(image, op->in, volume(op->in_h, op->in_w, op->depth)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->depth)) &&
           below(image, op->rows, op->out_h, op->in_h) && below(image, op->columns, op->out_w, op->in_w);
}

int check_lookup(const image_header *image, const void *record) {
    const lookup_record *op = record;
    return in_arena(image, op->in, times(1, op->count)) && in_arena(image, op->out, times(1, op->count)) &&
           in_image(image, op->table, TABLE_WORDS);
}

int check_reduce(const image_header *image, const void *record) {
    const reduce_record *op = record;
    const int32_t counts[6] = {op->out_counts[0], op->out_counts[1], op->out_counts[2],
                               op->counts[0],     op->counts[1],     op->counts[2]};
    const int32_t steps[6] = {op->out_steps[0], op->out_steps[1], op->out_steps[2],
                              op->steps[0],     op->steps[1],     op->steps[2]};
    const extent made = volume(counts[0], counts[1], counts[2]);
    return few(image, times(times(times(made, counts[3]), counts[4]), counts[5])) && op->in >= 0 &&
           reaches(image, op->in, counts, steps, 6) &&
           in_arena(image, op->out, made);
}

#pragma clang attribute pop
