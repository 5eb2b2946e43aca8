/* What thumb.S does, in C: for machines that are no Arm core, such as the host of a simulated fleet. */
#include "fixed_point.h"
#include "thumb.h"

#if !defined(__arm__)

/* Sums are kept in locals: bytes that are read could be theirs, for all that a compiler knows. */
void thumb_conv(int32_t *sums, const int8_t *first, const int8_t *second, const uint32_t *w, const uint32_t *end) {
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (; w < end; w += 2, first += 4, second += 4) {
        const int8_t *one = (const int8_t *)w, *other = one + 4;
        for (int32_t k = 0; k < 4; k++) {
            a += first[k] * one[k];
            b += first[k] * other[k];
            c += second[k] * one[k];
            d += second[k] * other[k];
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void thumb_depthwise(int32_t *sums, thumb_taps *work) {
    const int8_t *w = (const int8_t *)work->weights;
    const int32_t step = work->step;
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (const int8_t *const *row = work->row; row < work->rows_end; row++) {
        const int8_t *x = *row + work->offset;
        for (int32_t tap = 0; tap < work->taps; tap++, x += step, w += 4) {
            a += x[0] * w[0];
            b += x[1] * w[1];
            c += x[2] * w[2];
            d += x[3] * w[3];
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void thumb_requantise(int8_t *out, const int32_t *sums, const channel *c, int32_t zero, const channel *end) {
    while (c < end) {
        *out++ = requantise(*sums++, c++, FLAG_RIGHT, zero, INT8_MIN, INT8_MAX);
    }
}

#endif
