/* SOFTMAX in fixed point, as tensorflow/lite/kernels/internal/reference/softmax.h does it.
 *
 * The exponentials of the 256 possible distances from the maximum are a table of the image.
 */
#include "fixed_point.h"
#include "kernels.h"

enum { SUM_INTEGER_BITS = 12 };

static int32_t leading_zeros(uint32_t value) {
    int32_t zeros = 0;
    for (; !(value & 0x80000000u) && zeros < 32; value <<= 1) {
        zeros++;
    }
    return zeros;
}

/* 2 / (1 + x) - 1 ... in Q31: 1 / (1 + x) for x in [0, 1), three Newton-Raphson steps (gemmlowp). */
static int32_t reciprocal_of_one_plus(int32_t x) {
    const int64_t sum = (int64_t)x + INT32_MAX;
    const int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    /* Q29: 48/17 - 32/17 * half. */
    int32_t found = 1515870810 + multiply_high(half, -1010580540);
#pragma clang loop unroll(disable)
    for (int turn = 0; turn < 3; turn++) {
        const int32_t product = multiply_high(half, found);
        const int32_t rest = (1 << 29) - product;
        const int32_t step = multiply_high(found, rest);
        /* Q27 to Q29, saturating. */
        const int32_t shifted = step > (INT32_MAX >> 2)    ? INT32_MAX
                                : step < (INT32_MIN >> 2) ? INT32_MIN
                                                          : step * 4;
        found += shifted;
    }
    /* Q29 / 2 to Q31. */
    return found > (INT32_MAX >> 1) ? INT32_MAX : found < (INT32_MIN >> 1) ? INT32_MIN : found * 2;
}

static void softmax_row(const int32_t *table, const int8_t *in, int8_t *out, int32_t depth) {
    int32_t most = INT8_MIN, sum = 0;
#pragma clang loop unroll(disable)
    for (int32_t d = 0; d < depth; d++) {
        most = in[d] > most ? in[d] : most;
    }
#pragma clang loop unroll(disable)
    for (int32_t d = 0; d < depth; d++) {
        sum += divide_by_power(table[most - in[d]], SUM_INTEGER_BITS);
    }
    const int32_t headroom = leading_zeros((uint32_t)sum);
    const int32_t over_unit = SUM_INTEGER_BITS - headroom;
    const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - 0x80000000u);
    const int32_t scale = reciprocal_of_one_plus(fraction);
#pragma clang loop unroll(disable)
    for (int32_t d = 0; d < depth; d++) {
        const int32_t share = table[most - in[d]];
        const int32_t value = divide_by_power(multiply_high(scale, share), over_unit + 31 - 8);
        /* Beyond the 5 integer bits the table's entry is 0, as TFLM's is by its cut-off. */
        out[d] = (int8_t)clamp(value + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void run_softmax(const memory *m, const void *record) {
    const softmax_record *op = record;
    const int32_t *table = (const int32_t *)(m->image + op->table);
    for (int32_t row = 0; row < op->rows; row++) {
        softmax_row(table, m->arena + op->in + row * op->depth, m->arena + op->out + row * op->depth, op->depth);
    }
}
