/* What thumb.S does, in C: for machines that are no Arm core, such as the host of a simulated fleet. */
#include "fixed_point.h"
#include "thumb.h"

#if !defined(__arm__)

void thumb_conv(int32_t *sums, const int8_t *first, const int8_t *second, const uint32_t *w, const uint32_t *end) {
    for (; w < end; w += 2, first += 4, second += 4) {
        const int8_t *one = (const int8_t *)w, *other = one + 4;
        for (int32_t k = 0; k < 4; k++) {
            sums[0] += first[k] * one[k];
            sums[1] += first[k] * other[k];
            sums[2] += second[k] * one[k];
            sums[3] += second[k] * other[k];
        }
    }
}

void thumb_depthwise(int32_t *sums, thumb_taps *work) {
    const int8_t *w = (const int8_t *)work->weights;
    for (const int8_t *const *row = work->row; row < work->rows_end; row++) {
        const int8_t *x = *row + work->offset;
        for (int32_t tap = 0; tap < work->taps; tap++, x += work->step, w += 4) {
            for (int32_t lane = 0; lane < 4; lane++) {
                sums[lane] += x[lane] * w[lane];
            }
        }
    }
}

void thumb_requantise(int8_t *out, const int32_t *sums, const channel *c, int32_t zero, const channel *end) {
    while (c < end) {
        *out++ = requantise(*sums++, c++, FLAG_RIGHT, zero, INT8_MIN, INT8_MAX);
    }
}

#endif
