/* Sums of products of two rows of int8, and a move of bytes to a lower place. */
#ifndef TINYFLEET_DOT_H
#define TINYFLEET_DOT_H

#include "simd.h"

static inline int32_t dot8(const int8_t *a, const int8_t *b, int32_t count, int32_t sum) {
#if HAS_SIMD
    for (; count >= 4; count -= 4, a += 4, b += 4) {
        const uint32_t x = load4(a), y = load4(b);
        sum = __smlad(odds(x), odds(y), __smlad(evens(x), evens(y), sum));
    }
#endif
    for (; count > 0; count--) {
        sum += *a++ * *b++;
    }
    return sum;
}

/* memcpy() may copy words before it reaches the bytes that they overlap. */
static inline void move_down(int8_t *to, const int8_t *from, int32_t bytes) {
    for (; bytes > 0; bytes--) {
        *(volatile int8_t *)to++ = *from++;
    }
}

#endif
