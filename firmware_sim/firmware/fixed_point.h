/* Fixed-point arithmetic with TFLM's rounding (gemmlowp/fixedpoint.h, tensorflow/lite/kernels/internal/
 * common.h): a doubling high multiply that rounds halves up, then a shift that rounds halves away from zero.
 */
#ifndef TINYFLEET_FIXED_POINT_H
#define TINYFLEET_FIXED_POINT_H

#include <stdint.h>

#include "image.h"
#include "simd.h"

/* (a * b + 2^30) >> 31; the one product that does not fit, of the two least values, saturates. */
static inline int32_t multiply_high(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* value / 2^shift, halves away from zero; shift of 0 to 31. */
static inline int32_t divide_by_power(int32_t value, int32_t shift) {
    const int32_t rest = value & (int32_t)((1u << shift) - 1u);
    const int32_t half = (int32_t)(((1u << shift) - 1u) >> 1) + (value < 0);
    return (value >> shift) + (rest > half);
}

/* value * scale * 2^(shift - 31). */
static inline int32_t rescale(int32_t value, int32_t scale, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return divide_by_power(multiply_high((int32_t)((uint32_t)value << left), scale), right);
}

/* (a * b + 2^31) >> 32. */
static inline int32_t multiply_top(int32_t a, uint32_t b) {
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
    return (int32_t)(((int64_t)a * b + 0x80000000) >> 32);
#else
    /* By halves, as Armv6-M multiplies to 32 bits only; no part overflows. */
    const int32_t a_high = a >> 16, b_high = (int32_t)(b >> 16);
    const uint32_t a_low = (uint32_t)a & 0xFFFFu, b_low = b & 0xFFFFu;
    const uint32_t middle = a_low * (b >> 16) + (a_low * b_low >> 16) + 0x8000u;
    const int32_t rest = a_high * (int32_t)b_low + (int32_t)(middle & 0xFFFFu);
    return a_high * b_high + (int32_t)(middle >> 16) + (rest >> 16);
#endif
}

/* The same for shifts to the right: doubled is scale times two, halvings one less than the shift. */
static inline int32_t rescale_right(int32_t value, int32_t doubled, int32_t halvings) {
    const int32_t product = multiply_top(value, (uint32_t)doubled);
    return (((product + (product >> 31)) >> halvings) + 1) >> 1;
}

/* The high word of a product, rounded: multiply_high when one factor is doubled. One instruction with DSP. */
static inline int32_t high_word(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + 0x80000000) >> 32);
}

static inline int32_t clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* A layer's sum as an int8 within the range of its fused activation. */
static inline int8_t requantise(int32_t sum, const channel *c, int right, int32_t zero, int32_t low, int32_t high) {
    const int32_t scaled = right ? rescale_right(sum, c->scale, c->shift) : rescale(sum, c->scale, c->shift);
    return (int8_t)clamp(scaled + zero, low, high);
}

static inline void restrict_range(int8_t *values, int32_t count, int32_t low, int32_t high) {
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
    for (int32_t at = 0; at < count; at++) {
        values[at] = (int8_t)clamp(values[at], low, high);
    }
}

#endif
