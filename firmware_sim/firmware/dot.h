/* Sums of products of two rows of int8, and a move of bytes to a lower place. */
#ifndef TINYFLEET_DOT_H
#define TINYFLEET_DOT_H

#include <stdint.h>

int32_t dot8(const int8_t *a, const int8_t *b, int32_t count, int32_t sum);

/* memcpy() may copy words before it reaches the bytes that they overlap. */
static inline void move_down(int8_t *to, const int8_t *from, int32_t bytes) {
    for (; bytes > 0; bytes--) {
        *(volatile int8_t *)to++ = *from++;
    }
}

#endif
