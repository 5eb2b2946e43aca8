/* Checks of what works value by value, or only moves values. */
#include "check.h"

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

int check_lookup(const image_header *image, const void *record) {
    const lookup_record *op = record;
    return in_arena(image, op->in, times(1, op->count)) && in_arena(image, op->out, times(1, op->count)) &&
           in_image(image, op->table, 256);
}

int check_binary(const image_header *image, const void *record) {
    const binary_record *op = record;
    reach a = {0, 0}, b = {0, 0};
    return widen_reach(&a, op->counts, op->a_steps, 4) && widen_reach(&b, op->counts, op->b_steps, 4) &&
           operand_within(image, op->a, &a) && operand_within(image, op->b, &b) &&
           in_arena(image, op->out,
                    times(volume(op->counts[0], op->counts[1], op->counts[2]), op->counts[3])) &&
           (op->kind != BINARY_SUM || in_image(image, op->table, WORD_TABLE_BYTES));
}

/* Steps of 0 would let loops run for ever in one place. */
static int few(const image_header *image, extent values) {
    return values > 0 && values <= (extent)image->arena_bytes;
}

static int check_piece(const image_header *image, const copy_piece *piece) {
    reach in = {0, 0}, out = {0, 0};
    const int32_t *counts = piece->counts;
    return few(image, times(times(volume(counts[0], counts[1], counts[2]), counts[3]), counts[4])) &&
           widen_reach(&in, counts, piece->in_steps, 5) &&
           widen_reach(&out, counts, piece->out_steps, 5) && operand_within(image, piece->in, &in) &&
           piece->out >= 0 && operand_within(image, piece->out, &out);
}

int check_copy(const image_header *image, const void *record) {
    const copy_record *op = record;
    const uint32_t room = (4 * RECORD_WORDS(op->head) - sizeof *op) / sizeof(copy_piece);
    if (!in_arena(image, op->out, op->fill_bytes) || (uint32_t)op->pieces > room) {
        return 0;
    }
    for (int32_t at = 0; at < op->pieces; at++) {
        if (!check_piece(image, &op->piece[at])) {
            return 0;
        }
    }
    return 1;
}

/* One more than the greatest of a table; 0 where there is no such table. */
static int32_t behind(const image_header *image, int32_t at, int32_t count) {
    if (!in_image(image, at, times(2, count))) {
        return 0;
    }
    const uint16_t *table = (const uint16_t *)((const uint8_t *)image + at);
    int32_t most = 0;
    for (int32_t index = 0; index < count; index++) {
        most = table[index] > most ? table[index] : most;
    }
    return most + 1;
}

int check_resize(const image_header *image, const void *record) {
    const resize_record *op = record;
    const int32_t columns = behind(image, op->columns, op->out_w);
    return columns > 0 && columns <= op->in_w &&
           in_arena(image, op->in, volume(behind(image, op->rows, op->out_h), op->in_w, op->depth)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->depth));
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

int check_reduce(const image_header *image, const void *record) {
    const reduce_record *op = record;
    const int32_t *outer = op->out_counts, *inner = op->counts;
    const extent made = volume(outer[0], outer[1], outer[2]);
    reach in = {0, 0};
    return few(image, times(times(times(made, inner[0]), inner[1]), inner[2])) &&
           widen_reach(&in, outer, op->out_steps, 3) && widen_reach(&in, inner, op->steps, 3) &&
           op->in >= 0 && operand_within(image, op->in, &in) &&
           in_arena(image, op->out, made);
}
