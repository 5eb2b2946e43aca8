/* SVDF, as tensorflow/lite/micro/kernels/svdf_common.cc does it.
 *
 * The state holds, per filter, the features of the last inputs, the newest last. One move by one value makes
 * room in all rows at once, for the newest of each row is overwritten.
 */
#include "dot.h"
#include "fixed_point.h"
#include "kernels.h"

static void store(const svdf_record *op, int8_t *state, int32_t at, int32_t value) {
    if (op->flags & FLAG_STATE_16) {
        ((int16_t *)state)[at] = (int16_t)clamp(value, INT16_MIN, INT16_MAX);
    } else {
        state[at] = (int8_t)clamp(value, INT8_MIN, INT8_MAX);
    }
}

static void features(const svdf_record *op, const uint8_t *image, const int8_t *in, int8_t *state, int32_t first) {
    const int8_t *w = (const int8_t *)(image + op->feature);
    const int32_t *start = (const int32_t *)(image + op->feature_start);
    for (int32_t filter = 0; filter < op->filters; filter++, w += op->inputs) {
        const int32_t sum = rescale(dot8(w, in, op->inputs, start[filter]), op->in_scale, op->in_shift);
        store(op, state, first + filter * op->memory + op->memory - 1, sum);
    }
}

/* The filters of one unit lie side by side, in weights and in state. */
static int32_t unit(const svdf_record *op, const uint8_t *weights, const int8_t *state, int32_t at, int32_t sum) {
    const int32_t taps = op->rank * op->memory;
    if (op->flags & FLAG_STATE_16) {
        const int16_t *w = (const int16_t *)weights + at, *s = (const int16_t *)state + at;
        for (int32_t tap = 0; tap < taps; tap++) {
            sum += w[tap] * s[tap];
        }
        return sum;
    }
    return dot8((const int8_t *)weights + at, state + at, taps, sum);
}

void run_svdf(const memory *m, const void *record) {
    const svdf_record *op = record;
    const uint8_t *time = m->image + op->time;
    const int32_t *bias = (const int32_t *)(m->image + op->bias);
    int8_t *state = m->arena + op->state, *out = m->arena + op->out;
    const int32_t row = op->filters * op->memory, bytes = op->flags & FLAG_STATE_16 ? 2 : 1;
    const int32_t units = op->filters / op->rank, taps = op->rank * op->memory;
    move_down(state, state + bytes, (op->batch * row - 1) * bytes);
    for (int32_t b = 0; b < op->batch; b++, out += units) {
        features(op, m->image, m->arena + op->in + b * op->inputs, state, b * row);
        for (int32_t at = 0; at < units; at++) {
            const int32_t sum = unit(op, time, state + b * row * bytes, at * taps, bias[at]);
            out[at] = (int8_t)clamp(rescale(sum, op->out_scale, op->out_shift) + op->out_zero, INT8_MIN, INT8_MAX);
        }
    }
}
