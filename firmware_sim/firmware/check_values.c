/* Softmax and DEQUANTIZE by their tables, RESIZE_BILINEAR by its places. */
#include "check.h"

/* Runs once for an image: small is better than fast. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

int check_softmax(const image_header *image, const void *record) {
    const softmax_record *op = record;
    const extent values = volume(op->rows, op->depth, 1);
    return in_arena(image, op->in, values) && in_arena(image, op->out, values) &&
           in_image(image, op->table, WORD_TABLE_BYTES);
}

int check_widen(const image_header *image, const void *record) {
    const widen_record *op = record;
    return in_arena(image, op->in, times(1, op->values)) &&
           words_in_arena(image, op->out, times(4, op->values)) &&
           in_image(image, op->table, WORD_TABLE_BYTES);
}

static int steps_within(const image_header *image, int32_t at, int32_t count, int32_t length) {
    if (!in_image(image, at, times(sizeof(bilinear_step), count))) {
        return 0;
    }
    const bilinear_step *step = (const bilinear_step *)((const uint8_t *)image + at);
    for (int32_t index = 0; index < count; index++, step++) {
        if (step->low < 0 || step->low >= length || step->high < 0 || step->high >= length) {
            return 0;
        }
    }
    return 1;
}

int check_bilinear(const image_header *image, const void *record) {
    const bilinear_record *op = record;
    return steps_within(image, op->rows, op->out_h, op->in_h) &&
           steps_within(image, op->columns, op->out_w, op->in_w) &&
           in_arena(image, op->in, volume(op->in_h, op->in_w, op->depth)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->depth));
}

#pragma clang attribute pop
