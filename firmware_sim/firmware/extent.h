/* How far records reach: sizes in bytes that do not overflow, and whether they lie within image or arena. */
#ifndef TINYFLEET_EXTENT_H
#define TINYFLEET_EXTENT_H

#include "image.h"

enum { NOWHERE = -1 }; /* what a product becomes that has a factor below 1 or does not fit */

typedef int64_t extent;

static inline extent times(extent bytes, int32_t factor) {
    return bytes < 0 || factor < 1 || bytes * factor > INT32_MAX ? NOWHERE : bytes * factor;
}

static inline extent volume(int32_t a, int32_t b, int32_t c) { return times(times(times(1, a), b), c); }

static inline int within(uint32_t all, int32_t at, extent bytes, int32_t alignment) {
    return at >= 0 && bytes >= 0 && at % alignment == 0 && (extent)at + bytes <= (extent)all;
}

static inline int in_arena(const image_header *image, int32_t at, extent bytes) {
    return within(image->arena_bytes, at, bytes, 1);
}

static inline int words_in_arena(const image_header *image, int32_t at, extent bytes) {
    return within(image->arena_bytes, at, bytes, 4);
}

static inline int in_image(const image_header *image, int32_t at, extent bytes) {
    return within(image->bytes, at, bytes, 4);
}

#endif
