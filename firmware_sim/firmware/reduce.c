/* MEAN, SUM, REDUCE_MAX, REDUCE_MIN: three loops over outputs, three over what goes into each. */
#include "fixed_point.h"
#include "kernels.h"

static int32_t sum(const reduce_record *op, const int8_t *in) {
    int32_t found = op->start;
    for (int32_t i = 0; i < op->counts[0]; i++) {
        for (int32_t j = 0; j < op->counts[1]; j++) {
            const int8_t *at = in + i * op->steps[0] + j * op->steps[1];
#pragma clang loop unroll_count(4)
            for (int32_t k = op->counts[2], step = op->steps[2]; k > 0; k--, at += step) {
                found += *at;
            }
        }
    }
    return found;
}

static int8_t extreme(const reduce_record *op, const int8_t *in) {
    int8_t found = *in;
    for (int32_t i = 0; i < op->counts[0]; i++) {
        for (int32_t j = 0; j < op->counts[1]; j++) {
            const int8_t *at = in + i * op->steps[0] + j * op->steps[1];
#pragma clang loop unroll(disable)
            for (int32_t k = op->counts[2], step = op->steps[2]; k > 0; k--, at += step) {
                found = (*at > found) == (op->kind == REDUCE_MOST) ? *at : found;
            }
        }
    }
    return found;
}

static int8_t reduced(const reduce_record *op, const int8_t *in) {
    if (op->kind != REDUCE_SUM) {
        return extreme(op, in);
    }
    return (int8_t)clamp(rescale(sum(op, in), op->scale, op->shift) + op->out_zero, INT8_MIN, INT8_MAX);
}

void run_reduce(const memory *m, const void *record) {
    const reduce_record *op = record;
    const int8_t *in = m->arena + op->in;
    int8_t *out = m->arena + op->out;
    for (int32_t i = 0; i < op->out_counts[0]; i++) {
        for (int32_t j = 0; j < op->out_counts[1]; j++) {
            const int8_t *at = in + i * op->out_steps[0] + j * op->out_steps[1];
            for (int32_t k = 0; k < op->out_counts[2]; k++, at += op->out_steps[2]) {
                *out++ = reduced(op, at);
            }
        }
    }
}
