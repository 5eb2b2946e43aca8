/* UNIDIRECTIONAL_SEQUENCE_LSTM of int8 with an int16 cell state, as tensorflow/lite/micro/kernels/lstm_eval.cc
 * and integer_ops/{logistic,tanh,mul}.h do it.
 *
 * A unit's cell state depends on no other unit's, so that all gates of a unit are computed together. The
 * new hidden state goes to the output first, for all units read the old one.
 */
#include "dot.h"
#include "fixed_point.h"
#include "kernels.h"

static int32_t saturate16(int32_t value) { return clamp(value, INT16_MIN, INT16_MAX); }

/* (a << bits) plus the share of the way to the next entry; beyond the table's end: most. */
static int32_t look_up(const uint16_t *table, uint32_t place, int32_t bits, int32_t most) {
    const uint32_t at = place >> bits;
    if (at >= 255) {
        return most;
    }
    const int32_t low = table[at], share = (int32_t)(place & ((1u << bits) - 1u));
    return (low << bits) + share * (table[at + 1] - low);
}

/* Q3.12 to Q0.15. */
static int32_t sigmoid(const uint16_t *table, int32_t value) {
    const int32_t x = 3 * value;
    const uint32_t found = (uint32_t)look_up(table, (uint32_t)(x < 0 ? -x : x), 9, 0x7FFF << 10);
    return (int32_t)((x >= 0 ? found + (1u << 9) : (1u << 25) - found + (1u << 9) - 1u) >> 10);
}

static int32_t tanh_of(const uint16_t *table, int32_t value, int32_t scale, int32_t shift) {
    const int32_t x = (value * scale + (shift > 0 ? 1 << (shift - 1) : 0)) >> shift;
    const int32_t found = look_up(table, (uint32_t)(x < 0 ? -x : x), 8, 0xFFFF << 8);
    return (x >= 0 ? found - (1 << 23) + (1 << 7) : -found + (1 << 23) + (1 << 7) - 1) >> 8;
}

static int32_t dense(const uint8_t *image, const lstm_matrix *by, int32_t row, const int8_t *x, int32_t count) {
    const int32_t start = ((const int32_t *)(image + by->start))[row];
    const int8_t *w = (const int8_t *)(image + by->weights) + row * count;
    return saturate16(rescale(dot8(w, x, count, start), by->scale, by->shift));
}

typedef struct {
    const uint8_t *image;
    const lstm_record *op;
    const int8_t *in, *hidden;
} place;

static int32_t gate(const place *at, int32_t which, int32_t unit) {
    const lstm_record *op = at->op;
    return saturate16(dense(at->image, op->given + which, unit, at->in, op->inputs) +
                      dense(at->image, op->recurrent + which, unit, at->hidden, op->units));
}

static int8_t one_unit(const place *at, int32_t unit, int16_t *cell) {
    const lstm_record *op = at->op;
    const uint16_t *table = (const uint16_t *)(at->image + op->sigmoid);
    const int32_t forget = sigmoid(table, gate(at, GATE_FORGET, unit));
    const int32_t input = sigmoid(table, gate(at, GATE_INPUT, unit));
    const int32_t fresh = tanh_of(table, gate(at, GATE_CELL, unit), 3, 0);
    const int32_t kept = saturate16(rescale(forget * cell[unit], op->forget_scale, op->forget_shift));
    const int32_t added = saturate16(rescale(input * fresh, op->input_scale, op->input_shift));
    cell[unit] = (int16_t)clamp(saturate16(kept + added), -op->clip, op->clip);
    const int32_t output = sigmoid(table, gate(at, GATE_OUTPUT, unit));
    const int32_t shown = tanh_of(table, cell[unit], op->tanh_scale, op->tanh_shift);
    const int32_t scaled = rescale(shown * output, op->out_scale, op->out_shift);
    return (int8_t)clamp(scaled + op->out_zero, INT8_MIN, INT8_MAX);
}

void run_lstm(const memory *m, const void *record) {
    const lstm_record *op = record;
    const int32_t units = op->units;
    for (int32_t b = 0; b < op->batch; b++) {
        int8_t *hidden = m->arena + op->hidden + b * units;
        int16_t *cell = (int16_t *)(m->arena + op->cell) + b * units;
        for (int32_t step = 0; step < op->steps; step++) {
            const int32_t vector = b * op->batch_stride + step * op->step_stride;
            const place at = {m->image, op, m->arena + op->in + vector * op->inputs, hidden};
            int8_t *out = m->arena + op->out + vector * units;
            for (int32_t unit = 0; unit < units; unit++) {
                out[unit] = one_unit(&at, unit, cell);
            }
            __builtin_memcpy(hidden, out, (uint32_t)units);
        }
    }
}
