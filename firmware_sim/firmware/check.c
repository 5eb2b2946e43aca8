#include "check.h"

/* Runs once for an image: small is better than fast. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

enum { MOST_ROWS = 32 }; /* depthwise.c */

static int check_conv(const image_header *image, const void *record) {
    const conv_record *op = record;
    const extent window = volume(op->kernel_h, op->kernel_w, op->in_c);
    const int gathered = op->flags & FLAG_PATCH;
    const int one_by_one = op->kernel_h == 1 && op->kernel_w == 1 && op->in_c % 4 == 0 &&
                           volume(op->out_h, op->out_w, 1) <= volume(op->in_h, op->in_w, 1);
    return axes(&op->kernel_h, 6, 1) && axes(&op->pad_top, 2, 0) && axes(&op->in_h, 2, 1) &&
           axes(&op->out_h, 2, 1) && axes(&op->apart_h, 2, 1) && (gathered || one_by_one) && window > 0 &&
           op->blocks == (window + 3) / 4 && in_arena(image, op->in, volume(op->in_h, op->in_w, op->in_c)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->out_c)) &&
           words_in_arena(image, op->scratch, times(24, op->blocks)) &&
           in_image(image, op->weights, times(times(8, op->blocks), op->out_c / 2 + op->out_c % 2)) &&
           in_image(image, op->channels, times(sizeof(channel), op->out_c));
}

static int check_depthwise(const image_header *image, const void *record) {
    const depthwise_record *op = record;
    if (!axes(&op->kernel_h, 6, 1) || !axes(&op->pad_top, 2, 0) || !axes(&op->in_h, 2, 1) ||
        !axes(&op->out_h, 2, 1) || op->kernel_h > MOST_ROWS || op->repeat < 1 || op->depth % op->repeat) {
        return 0;
    }
    const int32_t span = (op->kernel_h - 1) * op->dilation_h + 1;
    const int32_t reach = (op->out_w - 1) * op->stride_w + (op->kernel_w - 1) * op->dilation_w + 1;
    const extent taps = volume(op->kernel_h, op->kernel_w, 4);
    const extent reached = volume(reach, op->depth, 1), filled = volume(op->pad_left + op->in_w, op->depth, 1);
    return reached > 0 && filled > 0 && op->row >= reached && op->row >= filled &&
           in_arena(image, op->in, volume(op->in_h, op->in_w, op->depth / op->repeat)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->depth)) &&
           in_arena(image, op->scratch, times(span, op->row)) &&
           in_image(image, op->weights, times(taps, op->depth / 4 + (op->depth % 4 > 0))) &&
           in_image(image, op->channels, times(sizeof(channel), op->depth));
}

static int check_pool(const image_header *image, const void *record) {
    const pool_record *op = record;
    return axes(&op->in_h, 2, 1) && axes(&op->out_h, 2, 1) && axes(&op->kernel_h, 4, 1) &&
           axes(&op->pad_top, 2, 0) && in_arena(image, op->in, volume(op->in_h, op->in_w, op->depth)) &&
           in_arena(image, op->out, volume(op->out_h, op->out_w, op->depth));
}

static int check_svdf(const image_header *image, const void *record) {
    const svdf_record *op = record;
    if (op->rank < 1 || op->filters < 1 || op->filters % op->rank) {
        return 0;
    }
    const int32_t units = op->filters / op->rank;
    const extent row = times(volume(op->filters, op->memory, 1), op->flags & FLAG_STATE_16 ? 2 : 1);
    return in_arena(image, op->in, volume(op->batch, op->inputs, 1)) &&
           in_arena(image, op->out, volume(op->batch, units, 1)) &&
           words_in_arena(image, op->state, times(row, op->batch)) &&
           in_image(image, op->feature, volume(op->filters, op->inputs, 1)) &&
           in_image(image, op->feature_start, times(4, op->filters)) && in_image(image, op->time, row) &&
           in_image(image, op->bias, times(4, units));
}

static int check_matrices(const image_header *image, const lstm_matrix *by, int32_t units, int32_t values) {
    for (int32_t gate = 0; gate < GATES; gate++, by++) {
        if (!in_image(image, by->weights, volume(units, values, 1)) ||
            !in_image(image, by->start, times(4, units))) {
            return 0;
        }
    }
    return 1;
}

static int check_lstm(const image_header *image, const void *record) {
    const lstm_record *op = record;
    if (!axes(&op->batch, 4, 1) || !axes(&op->batch_stride, 2, 0)) {
        return 0;
    }
    const int32_t vectors = (op->batch - 1) * op->batch_stride + 1;
    const extent most = (extent)vectors + (op->steps - 1) * op->step_stride;
    return most <= INT32_MAX && volume(op->batch, op->steps, 1) <= most && in_arena(image, op->in, volume((int32_t)most, op->inputs, 1)) &&
           in_arena(image, op->out, volume((int32_t)most, op->units, 1)) &&
           in_arena(image, op->hidden, volume(op->batch, op->units, 1)) &&
           words_in_arena(image, op->cell, volume(op->batch, op->units, 2)) &&
           in_image(image, op->sigmoid, 512) && check_matrices(image, op->given, op->units, op->inputs) &&
           check_matrices(image, op->recurrent, op->units, op->units);
}

static const struct {
    int (*check)(const image_header *image, const void *record);
    uint32_t bytes;
} checks[RECORD_KINDS] = {
    [RECORD_CONV] = {check_conv, sizeof(conv_record)},
    [RECORD_DEPTHWISE] = {check_depthwise, sizeof(depthwise_record)},
    [RECORD_POOL] = {check_pool, sizeof(pool_record)},
    [RECORD_SOFTMAX] = {check_softmax, sizeof(softmax_record)},
    [RECORD_SVDF] = {check_svdf, sizeof(svdf_record)},
    [RECORD_LSTM] = {check_lstm, sizeof(lstm_record)},
    [RECORD_WIDEN] = {check_widen, sizeof(widen_record)},
    [RECORD_BINARY] = {check_binary, sizeof(binary_record)},
    [RECORD_COPY] = {check_copy, sizeof(copy_record)},
    [RECORD_RESIZE] = {check_resize, sizeof(resize_record)},
    [RECORD_LOOKUP] = {check_lookup, sizeof(lookup_record)},
    [RECORD_REDUCE] = {check_reduce, sizeof(reduce_record)},
    [RECORD_BILINEAR] = {check_bilinear, sizeof(bilinear_record)},
};

int check_header(const image_header *image) {
    const uint32_t arena = image->arena_bytes;
    return image->state_bytes <= arena && image->state_at <= image->bytes &&
           (!image->state_at || image->state_bytes <= image->bytes - image->state_at) &&
           image->input_at <= arena && image->input_bytes <= arena - image->input_at &&
           image->output_at <= arena && image->output_bytes <= arena - image->output_at;
}

int check_record(const image_header *image, const record_head *record) {
    const uint32_t kind = RECORD_KIND(*record);
    return 4 * RECORD_WORDS(*record) >= checks[kind].bytes && checks[kind].check &&
           checks[kind].check(image, record);
}

#pragma clang attribute pop
