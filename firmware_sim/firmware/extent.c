#include "extent.h"

/* Runs once for an image: small is better than fast. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

extent times(extent bytes, int32_t factor) {
    return bytes < 0 || factor < 1 || bytes * factor > INT32_MAX ? NOWHERE : bytes * factor;
}

extent volume(int32_t a, int32_t b, int32_t c) { return times(times(times(1, a), b), c); }

int axes(const int32_t *lengths, int32_t count, int32_t least) {
    for (int32_t at = 0; at < count; at++) {
        if (lengths[at] < least || lengths[at] > LONGEST) {
            return 0;
        }
    }
    return 1;
}

/* alignment: a power of two. */
__attribute__((noinline)) static int within(uint32_t all, int32_t at, extent bytes, int32_t alignment) {
    return at >= 0 && bytes >= 0 && !(at & (alignment - 1)) && at + bytes <= (extent)all;
}

int in_arena(const image_header *image, int32_t at, extent bytes) {
    return within(image->arena_bytes, at, bytes, 1);
}

int words_in_arena(const image_header *image, int32_t at, extent bytes) {
    return within(image->arena_bytes, at, bytes, 4);
}

int in_image(const image_header *image, int32_t at, extent bytes) { return within(image->bytes, at, bytes, 4); }

int few(const image_header *image, extent values) {
    return values > 0 && values <= (extent)image->arena_bytes;
}

#pragma clang attribute pop
