#include "extent.h"

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

int widen_reach(reach *found, const int32_t *counts, const int32_t *steps, int32_t loops) {
    for (int32_t at = 0; at < loops; at++) {
        const extent length = (extent)(counts[at] - 1) * steps[at];
        if (counts[at] < 1 || length > INT32_MAX || length < INT32_MIN) {
            return 0;
        }
        *(length < 0 ? &found->low : &found->high) += length;
    }
    return 1;
}

int operand_within(const image_header *image, int32_t at, const reach *found) {
    const extent all = at < 0 ? image->bytes : image->arena_bytes;
    const extent place = at < 0 ? ~at : at;
    return place + found->low >= 0 && place + found->high < all;
}
