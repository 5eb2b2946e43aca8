/* AVERAGE_POOL_2D and MAX_POOL_2D; what hangs over the edge counts for nothing. */
#include "fixed_point.h"
#include "kernels.h"

typedef struct {
    int32_t top, bottom, left, right;
} window;

static window place(const pool_record *op, int32_t y, int32_t x) {
    const int32_t top = y * op->stride_h - op->pad_top, left = x * op->stride_w - op->pad_left;
    const int32_t bottom = top + op->kernel_h, right = left + op->kernel_w;
    return (window){
        top < 0 ? 0 : top,
        bottom > op->in_h ? op->in_h : bottom,
        left < 0 ? 0 : left,
        right > op->in_w ? op->in_w : right,
    };
}

static int32_t average(int32_t sum, int32_t count) {
    /* Halves away from zero. */
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

/* Four channels at a time: each step of the window is one load of the place for four values. */
static void sum_four(const pool_record *op, const int8_t *in, window w, int32_t *found) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t y = w.top; y < w.bottom; y++) {
        const int8_t *at = in + (y * op->in_w + w.left) * op->depth;
#pragma clang loop unroll(disable)
        for (int32_t x = w.left; x < w.right; x++, at += op->depth) {
            a += at[0];
            b += at[1];
            c += at[2];
            d += at[3];
        }
    }
    found[0] = a;
    found[1] = b;
    found[2] = c;
    found[3] = d;
}

static int32_t sum(const pool_record *op, const int8_t *in, window w) {
    int32_t found = 0;
    for (int32_t y = w.top; y < w.bottom; y++) {
#pragma clang loop unroll(disable)
        for (int32_t x = w.left; x < w.right; x++) {
            found += in[(y * op->in_w + x) * op->depth];
        }
    }
    return found;
}

static void average_all(const pool_record *op, const int8_t *in, window w, int8_t *out) {
    const int32_t count = (w.bottom - w.top) * (w.right - w.left);
    int32_t at = 0;
    for (; at + 4 <= op->depth; at += 4) {
        int32_t sums[4];
        sum_four(op, in + at, w, sums);
#pragma clang loop unroll(disable)
        for (int32_t lane = 0; lane < 4; lane++) {
            out[at + lane] = (int8_t)clamp(average(sums[lane], count), op->low, op->high);
        }
    }
    for (; at < op->depth; at++) {
        out[at] = (int8_t)clamp(average(sum(op, in + at, w), count), op->low, op->high);
    }
}

static void most_of_all(const pool_record *op, const int8_t *in, window w, int8_t *out) {
    __builtin_memset(out, INT8_MIN, (uint32_t)op->depth);
    for (int32_t y = w.top; y < w.bottom; y++) {
        const int8_t *at = in + (y * op->in_w + w.left) * op->depth;
        for (int32_t x = w.left; x < w.right; x++, at += op->depth) {
            for (int32_t d = 0; d < op->depth; d++) {
                out[d] = at[d] > out[d] ? at[d] : out[d];
            }
        }
    }
    restrict_range(out, op->depth, op->low, op->high);
}

void run_pool(const memory *m, const void *record) {
    const pool_record *op = record;
    const int8_t *in = m->arena + op->in;
    int8_t *out = m->arena + op->out;
    for (int32_t y = 0; y < op->out_h; y++) {
        for (int32_t x = 0; x < op->out_w; x++, out += op->depth) {
            if (op->kind == POOL_MAX) {
                most_of_all(op, in, place(op, y, x), out);
            } else {
                average_all(op, in, place(op, y, x), out);
            }
        }
    }
}
