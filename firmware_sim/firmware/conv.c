/* Convolution: two pixels by two output channels at a time, four products an instruction pair.
 *
 * A pixel's patch is contiguous: the input itself for 1x1 kernels, else gathered into scratch with the
 * zero point where the kernel hangs over the edge. As the zero point is folded into the bias, what hangs
 * over adds nothing. Cores with DSP instructions unpack two patches to 16 bits once for all channels.
 */
#include "dsp.h"
#include "fixed_point.h"
#include "kernels.h"
#include "thumb.h"

static inline int8_t finish(const conv_record *op, const channel *c, int32_t sum) {
    return requantise(sum, c, op->flags & FLAG_RIGHT, op->out_zero, op->low, op->high);
}

/* Sum of one pixel and one channel of a pair, whose words alternate. */
static int32_t dot(const uint32_t *w, const int8_t *x, int32_t blocks, int32_t sum) {
#pragma clang loop unroll_count(4)
    for (; blocks; blocks--, x += 4, w += 2) {
#if HAS_SIMD
        const uint32_t x_word = load4(x);
        sum = __smlad(odds(x_word), odds(*w), __smlad(evens(x_word), evens(*w), sum));
#else
        const int8_t *weights = (const int8_t *)w;
        sum += x[0] * weights[0] + x[1] * weights[1] + x[2] * weights[2] + x[3] * weights[3];
#endif
    }
    return sum;
}

/* Channels from first on of one pixel. */
static void one_pixel(const conv_record *op, const channel *c, const uint32_t *w, const int8_t *x, int8_t *out,
                      int32_t first) {
    for (int32_t at = first; at < op->out_c; at++) {
        const uint32_t *words = w + (at / 2) * 2 * op->blocks + at % 2;
        out[at] = finish(op, c + at, dot(words, x, op->blocks, c[at].bias));
    }
}

#if HAS_SIMD

/* Four values a block of four words, of which this pixel has two: values 0 and 2, values 1 and 3. */
static void unpack(const int8_t *x, int32_t blocks, int16x2_t *to) {
#pragma clang loop unroll_count(4)
    for (; blocks; blocks--, x += 4, to += 4) {
        const uint32_t word = load4(x);
        to[0] = evens(word);
        to[1] = odds(word);
    }
}

static void two_pixels(const conv_record *op, const channel *c, const uint32_t *w, const int8_t *x0,
                       const int8_t *x1, int8_t *out, int8_t *scratch) {
    const int32_t depth = op->out_c, even = op->flags & FLAG_RIGHT ? depth & ~1 : 0;
    if (even) {
        int16_t *patches = (int16_t *)scratch;
        unpack(x0, op->blocks, (int16x2_t *)patches);
        unpack(x1, op->blocks, (int16x2_t *)(patches + 4));
        dsp_conv work = {
            out, depth, c, op->out_zero, c + even, patches, patches + 8 * (op->blocks % 4),
            patches + 8 * op->blocks, w,
        };
        dsp_conv_two(&work);
        restrict_range(out, 2 * depth, op->low, op->high);
    }
    one_pixel(op, c, w, x0, out, even);
    one_pixel(op, c, w, x1, out + depth, even);
}

#else

/* A pair of channels at a time: each value is loaded once for two products. */
static void two_pixels(const conv_record *op, const channel *c, const uint32_t *words, const int8_t *x0,
                       const int8_t *x1, int8_t *out, int8_t *scratch) {
    (void)scratch;
    const int32_t depth = op->out_c, even = op->flags & FLAG_RIGHT ? depth & ~1 : 0;
    const uint32_t *w = words;
    int32_t at = 0;
    for (; at < even; at += 2, w += 2 * op->blocks) {
        const channel *pair = c + at;
        int32_t sums[4] = {pair[0].bias, pair[1].bias, pair[0].bias, pair[1].bias};
        thumb_conv(sums, x0, x1, w, w + 2 * op->blocks);
        thumb_requantise(out + at, sums, pair, op->out_zero, pair + 2);
        thumb_requantise(out + depth + at, sums + 2, pair, op->out_zero, pair + 2);
    }
    restrict_range(out, even, op->low, op->high);
    restrict_range(out + depth, even, op->low, op->high);
    one_pixel(op, c, words, x0, out, at);
    one_pixel(op, c, words, x1, out + depth, at);
}

#endif

static void fill(int8_t *to, int32_t value, int32_t bytes) {
    __builtin_memset(to, value, (uint32_t)bytes);
}

/* A row of a patch is often a few bytes: fewer than a call of memcpy costs. */
static inline void copy(int8_t *to, const int8_t *from, int32_t bytes) {
    if (bytes >= 32) {
        __builtin_memcpy(to, from, (uint32_t)bytes);
        return;
    }
#if HAS_SIMD
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
        const uint32_t word = load4(from);
        __builtin_memcpy(to, &word, sizeof word);
    }
#endif
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* Which row or column lies at a place; below 0: none. */
static int32_t pixel_at(int32_t place, int32_t apart) {
    return apart == 1 || place < 0 ? place : place % apart ? -1 : place / apart;
}

static void gather_row(const conv_record *op, const int8_t *row, int32_t left, int8_t *to) {
    const int32_t depth = op->in_c, width = op->kernel_w;
    if (op->dilation_w == 1 && op->apart_w == 1 && left >= 0 && left + width <= op->in_w) {
        copy(to, row + left * depth, width * depth);
        return;
    }
    for (int32_t kx = 0; kx < width; kx++, to += depth) {
        const int32_t x = pixel_at(left + kx * op->dilation_w, op->apart_w);
        if (x < 0 || x >= op->in_w) {
            fill(to, op->in_zero, depth);
        } else {
            copy(to, row + x * depth, depth);
        }
    }
}

static const int8_t *gather(const conv_record *op, const int8_t *in, int32_t y, int32_t x, int8_t *patch) {
    const int32_t row = op->kernel_w * op->in_c;
    const int32_t top = y * op->stride_h - op->pad_top, left = x * op->stride_w - op->pad_left;
    int8_t *to = patch;
    for (int32_t ky = 0; ky < op->kernel_h; ky++, to += row) {
        const int32_t at = pixel_at(top + ky * op->dilation_h, op->apart_h);
        if (at < 0 || at >= op->in_h) {
            fill(to, op->in_zero, row);
        } else {
            gather_row(op, in + at * op->in_w * op->in_c, left, to);
        }
    }
    return patch;
}

void run_conv(const memory *m, const void *record) {
    const conv_record *op = record;
    const channel *c = (const channel *)(m->image + op->channels);
    const uint32_t *w = (const uint32_t *)(m->image + op->weights);
    const int8_t *in = m->arena + op->in;
    int8_t *out = m->arena + op->out, *scratch = m->arena + op->scratch;
    const int32_t patch = 4 * op->blocks, all = op->out_h * op->out_w;
    int32_t x = 0, y = 0;
    for (int32_t at = 0; at < all; at += 2) {
        const int8_t *places[2] = {0, 0};
        for (int32_t turn = 0; turn < 2 && at + turn < all; turn++) {
            places[turn] = op->flags & FLAG_PATCH ? gather(op, in, y, x, scratch + turn * patch)
                                                  : in + (at + turn) * op->in_c;
            if (++x == op->out_w) {
                x = 0;
                y++;
            }
        }
        if (places[1]) {
            two_pixels(op, c, w, places[0], places[1], out, scratch + 2 * patch);
        } else {
            one_pixel(op, c, w, places[0], out, 0);
        }
        out += 2 * op->out_c;
    }
}
