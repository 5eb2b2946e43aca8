/* RESIZE_BILINEAR in whole numbers. */
#include "kernels.h"

/* To a place's share of 2^20, halves away from zero. */
static int8_t mixed(int32_t sum) { return (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20)); }

static void mix(const int8_t *above, const int8_t *below, const bilinear_step *y, const bilinear_step *x,
                int32_t depth, int8_t *out) {
    const int32_t low = x->low * depth, high = x->high * depth;
    const int32_t a = y->low_share * x->low_share, b = y->high_share * x->low_share;
    const int32_t c = y->low_share * x->high_share, d = y->high_share * x->high_share;
    for (int32_t at = 0; at < depth; at++) {
        out[at] = mixed(above[low + at] * a + below[low + at] * b + above[high + at] * c + below[high + at] * d);
    }
}

void run_bilinear(const memory *m, const void *record) {
    const bilinear_record *op = record;
    const bilinear_step *rows = (const bilinear_step *)(m->image + op->rows);
    const bilinear_step *columns = (const bilinear_step *)(m->image + op->columns);
    const int8_t *in = m->arena + op->in;
    int8_t *out = m->arena + op->out;
    const int32_t row = op->in_w * op->depth;
    for (int32_t y = 0; y < op->out_h; y++) {
        for (int32_t x = 0; x < op->out_w; x++, out += op->depth) {
            mix(in + rows[y].low * row, in + rows[y].high * row, rows + y, columns + x, op->depth, out);
        }
    }
}
