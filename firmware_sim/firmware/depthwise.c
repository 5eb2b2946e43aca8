/* Depthwise convolution over a ring of padded rows: every tap is inside, and the output may lie on the input.
 *
 * A row of the input is copied once, with the zero point to its left and right; rows above and below the
 * picture are zero point altogether. The ring holds as many rows as the kernel is high. A channel with
 * several outputs is there as often, so that outputs and inputs correspond one to one.
 */
#include "dsp.h"
#include "fixed_point.h"
#include "kernels.h"
#include "thumb.h"

enum { MOST_ROWS = 32 }; /* the converter refuses kernels that are higher */

static void spread(const int8_t *from, int32_t values, int32_t repeat, int8_t *to) {
    for (; values; values--, from++) {
#pragma clang loop unroll(disable)
        for (int32_t turn = 0; turn < repeat; turn++) {
            *to++ = *from;
        }
    }
}

static void load_row(const depthwise_record *op, const int8_t *in, int32_t y, int8_t *to) {
    const int32_t inside = op->in_w * op->depth, before = op->pad_left * op->depth;
    if (y < 0 || y >= op->in_h) {
        __builtin_memset(to, op->in_zero, (uint32_t)op->row);
        return;
    }
    __builtin_memset(to, op->in_zero, (uint32_t)before);
    if (op->repeat == 1) {
        __builtin_memcpy(to + before, in + y * inside, (uint32_t)inside);
    } else {
        const int32_t values = inside / op->repeat;
        spread(in + y * values, values, op->repeat, to + before);
    }
    __builtin_memset(to + before + inside, op->in_zero, (uint32_t)(op->row - before - inside));
}

static inline int8_t finish(const depthwise_record *op, const channel *c, int32_t sum) {
    return requantise(sum, c, op->flags & FLAG_RIGHT, op->out_zero, op->low, op->high);
}

/* Four channels of one pixel; rows: kernel_h places of their first tap. */
static inline void four(const depthwise_record *op, const channel *c, const uint32_t *w,
                        const int8_t *const *rows, int32_t offset, int8_t *out) {
    int32_t sums[4] = {c[0].bias, c[1].bias, c[2].bias, c[3].bias};
    const int32_t step = op->dilation_w * op->depth;
#if HAS_SIMD
    for (int32_t ky = 0; ky < op->kernel_h; ky++) {
        const int8_t *x = rows[ky] + offset;
        int32_t taps = op->kernel_w;
        do {
            const uint32_t x_word = load4(x), w_word = *w++;
            const int16x2_t x_even = evens(x_word), x_odd = odds(x_word);
            const int16x2_t w_even = evens(w_word), w_odd = odds(w_word);
            sums[0] = __smlabb(x_even, w_even, sums[0]);
            sums[1] = __smlabb(x_odd, w_odd, sums[1]);
            sums[2] = __smlatt(x_even, w_even, sums[2]);
            sums[3] = __smlatt(x_odd, w_odd, sums[3]);
            x += step;
        } while (--taps);
    }
#else
    thumb_taps work = {rows, rows + op->kernel_h, offset, step, op->kernel_w, w};
    thumb_depthwise(sums, &work);
    if (op->flags & FLAG_RIGHT) {
        thumb_requantise(out, sums, c, op->out_zero, c + 4);
        restrict_range(out, 4, op->low, op->high);
        return;
    }
#endif
    for (int32_t lane = 0; lane < 4; lane++) {
        out[lane] = finish(op, c + lane, sums[lane]);
    }
}

/* One channel of one pixel, for what four do not divide. */
static inline int8_t one(const depthwise_record *op, const channel *c, const int8_t *w,
                         const int8_t *const *rows, int32_t offset) {
    int32_t sum = c->bias;
    const int32_t step = op->dilation_w * op->depth;
    for (int32_t ky = 0; ky < op->kernel_h; ky++) {
        const int8_t *x = rows[ky] + offset;
#pragma clang loop unroll(disable)
        for (int32_t kx = 0; kx < op->kernel_w; kx++, x += step, w += 4) {
            sum += *x * *w;
        }
    }
    return finish(op, c, sum);
}

static void pixel(const depthwise_record *op, const channel *c, const uint32_t *w, const int8_t *const *rows,
                  int32_t offset, int8_t *out) {
    const int32_t taps = op->kernel_h * op->kernel_w;
    int32_t d = 0;
#if HAS_SIMD
    if (op->kernel_w == 3 && op->flags & FLAG_RIGHT && op->depth >= 4) {
        d = op->depth & ~3;
        dsp_depthwise work = {
            out, offset, c, op->out_zero, c + d, rows, rows + op->kernel_h, op->dilation_w * op->depth, w,
        };
        dsp_depthwise_three(&work);
        restrict_range(out, d, op->low, op->high);
    }
#endif
    for (; d + 4 <= op->depth; d += 4) {
        four(op, c + d, w + d / 4 * taps, rows, offset + d, out + d);
    }
    const int8_t *last = (const int8_t *)(w + op->depth / 4 * taps);
    for (; d < op->depth; d++, last++) {
        out[d] = one(op, c + d, last, rows, offset + d);
    }
}

void run_depthwise(const memory *m, const void *record) {
    const depthwise_record *op = record;
    const channel *channels = (const channel *)(m->image + op->channels);
    const uint32_t *weights = (const uint32_t *)(m->image + op->weights);
    const int8_t *in = m->arena + op->in;
    int8_t *out = m->arena + op->out, *ring = m->arena + op->scratch;
    const int32_t span = (op->kernel_h - 1) * op->dilation_h + 1;
    int32_t loaded = -op->pad_top; /* the next row to load; row y lies in the ring at (y + pad_top) % span */
    for (int32_t y = 0; y < op->out_h; y++) {
        const int32_t top = y * op->stride_h - op->pad_top;
        if (loaded < top) {
            loaded = top;
        }
        for (; loaded < top + span; loaded++) {
            load_row(op, in, loaded, ring + (loaded + op->pad_top) % span * op->row);
        }
        const int8_t *rows[MOST_ROWS];
        for (int32_t ky = 0; ky < op->kernel_h; ky++) {
            rows[ky] = ring + (top + op->pad_top + ky * op->dilation_h) % span * op->row;
        }
        for (int32_t x = 0; x < op->out_w; x++, out += op->depth) {
            pixel(op, channels, weights, rows, x * op->stride_w * op->depth, out);
        }
    }
}
