/* ADD, SUB, MUL, MAXIMUM, MINIMUM: a loop over rows, and in a row over values; an operand that is repeated
 * has steps of 0. Outputs may lie over an operand of the same shape, for each value is read before it is
 * written. */
#include "fixed_point.h"
#include "kernels.h"

typedef struct {
    const int8_t *a, *b;
    int8_t *out;
    int32_t a_step, b_step, count;
} row;

/* value / 2^halvings / 2 with halves away from zero, then the zero point, which is in `half`: 1 + 2 zero. */
static inline int8_t halved(int32_t value, int32_t halvings, int32_t half) {
    return (int8_t)clamp((((value + (value >> 31)) >> halvings) + half) >> 1, INT8_MIN, INT8_MAX);
}

static void sum(const binary_record *op, const int32_t *table, row r) {
    const int32_t gain = op->gain, scale = op->scale, halvings = -op->shift - 1, half = 1 + 2 * op->out_zero;
    table += 128;
    for (int8_t *end = r.out + r.count; r.out < end; r.a += r.a_step, r.b += r.b_step) {
        *r.out++ = halved(high_word(*r.a * gain + table[*r.b], scale), halvings, half);
    }
}

static void product(const binary_record *op, row r) {
    const int32_t a_zero = op->a_zero, b_zero = op->b_zero, half = 1 + 2 * op->out_zero;
    const int32_t scale = op->scale, halvings = -op->shift - 1;
    for (int8_t *end = r.out + r.count; r.out < end; r.a += r.a_step, r.b += r.b_step) {
        *r.out++ = halved(high_word(2 * (*r.a - a_zero) * (*r.b - b_zero), scale), halvings, half);
    }
}

static void wide_product(const binary_record *op, row r) {
    for (int8_t *end = r.out + r.count; r.out < end; r.a += r.a_step, r.b += r.b_step) {
        const int32_t value = (*r.a - op->a_zero) * (*r.b - op->b_zero);
        *r.out++ = (int8_t)clamp(rescale(value, op->scale, op->shift) + op->out_zero, INT8_MIN, INT8_MAX);
    }
}

static void extreme(int32_t most, row r) {
    for (int8_t *end = r.out + r.count; r.out < end; r.a += r.a_step, r.b += r.b_step) {
        *r.out++ = (*r.a > *r.b) == most ? *r.a : *r.b;
    }
}

static void run_row(const binary_record *op, const int32_t *table, row r) {
    switch (op->kind) {
    case BINARY_SUM:
        sum(op, table, r);
        break;
    case BINARY_PRODUCT:
        product(op, r);
        break;
    case BINARY_WIDE_PRODUCT:
        wide_product(op, r);
        break;
    default:
        extreme(op->kind == BINARY_MOST, r);
    }
    restrict_range(r.out, r.count, op->low, op->high);
}

void run_binary(const memory *m, const void *record) {
    const binary_record *op = record;
    const int32_t *table = (const int32_t *)(m->image + op->table);
    const int32_t *counts = op->counts, *a_steps = op->a_steps, *b_steps = op->b_steps;
    row r = {operand(m, op->a), operand(m, op->b), m->arena + op->out, a_steps[3], b_steps[3], counts[3]};
    const int8_t *const a = r.a, *const b = r.b;
    for (int32_t i = 0; i < counts[0]; i++) {
        for (int32_t j = 0; j < counts[1]; j++) {
            for (int32_t k = 0; k < counts[2]; k++, r.out += r.count) {
                r.a = a + i * a_steps[0] + j * a_steps[1] + k * a_steps[2];
                r.b = b + i * b_steps[0] + j * b_steps[1] + k * b_steps[2];
                run_row(op, table, r);
            }
        }
    }
}
