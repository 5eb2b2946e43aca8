/* Inner loops for cores without DSP instructions (Armv6-M), where a compiler runs out of low registers (thumb.S). */
#ifndef TINYFLEET_THUMB_H
#define TINYFLEET_THUMB_H

#include "image.h"

/* Two patches by a pair of channels: sums[0], sums[1] of the first patch, [2], [3] of the second take in the
 * values up to the end of the weights, blocks of four values with a word of each channel; at least one. */
void thumb_conv(int32_t *sums, const int8_t *first, const int8_t *second, const uint32_t *w, const uint32_t *end);

typedef struct {
    const int8_t *const *row; /* places of each row's first tap */
    const int8_t *const *rows_end;
    int32_t offset; /* of the channels from those places */
    int32_t step;   /* bytes from one tap to the next */
    int32_t taps;   /* of a row */
    const uint32_t *weights;
} thumb_taps;

/* Four channels of one pixel: sums take in all taps. */
void thumb_depthwise(int32_t *sums, thumb_taps *work);

/* Sums of the channels from c to end, at least one, to int8 around zero; shifts go to the right (FLAG_RIGHT). */
void thumb_requantise(int8_t *out, const int32_t *sums, const channel *c, int32_t zero, const channel *end);

#endif
