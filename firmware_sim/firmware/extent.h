/* Sizes and places that an image states, which may be anything, against what there is. */
#ifndef TINYFLEET_EXTENT_H
#define TINYFLEET_EXTENT_H

#include "image.h"

/* Bytes, or NOWHERE. */
typedef int64_t extent;

enum {
    NOWHERE = -1,     /* what a product becomes that has a factor below 1 or does not fit 31 bits */
    LONGEST = 0x7FFF, /* of lengths along one axis: a sum of two products of two of them fits 32 bits */
};

extent times(extent bytes, int32_t factor);
extent volume(int32_t a, int32_t b, int32_t c);

/* Whether so many lengths, which lie side by side in a record, are from least to LONGEST. */
int axes(const int32_t *lengths, int32_t count, int32_t least);

int in_arena(const image_header *image, int32_t at, extent bytes);
int words_in_arena(const image_header *image, int32_t at, extent bytes);

/* Constants begin on words. */
int in_image(const image_header *image, int32_t at, extent bytes);

/* Whether work on so many values ends: loops with steps of 0 could turn in one place for ever. */
int few(const image_header *image, extent values);

#endif
