/* Inner loops in assembly for cores with DSP instructions, where a compiler runs out of registers (dsp.S).
 *
 * Both take layers whose shifts all go to the right (FLAG_RIGHT) and saturate to int8; what restricts the
 * range further comes afterwards. dsp.S knows the places of the fields.
 */
#ifndef TINYFLEET_DSP_H
#define TINYFLEET_DSP_H

#include "image.h"

typedef struct {
    int8_t *out;   /* of the first pixel */
    int32_t depth; /* bytes from the first pixel's outputs to the second's */
    const channel *channels;
    int32_t zero;
    const channel *channels_end; /* after an even number, at least 2 */
    const int16_t *patches;      /* two pixels, unpacked: see unpack() in conv.c */
    const int16_t *odd_end;      /* behind blocks % 4 blocks */
    const int16_t *end;          /* behind all blocks */
    const uint32_t *weights;
} dsp_conv;

/* Two pixels by all pairs of channels. */
void dsp_conv_two(dsp_conv *work);

typedef struct {
    int8_t *out;
    int32_t offset; /* of the channels from the rows' places */
    const channel *channels;
    int32_t zero;
    const channel *channels_end;   /* after a multiple of 4, at least 4 */
    const int8_t *const *rows;     /* the first tap of each row of the kernel, which is 3 wide */
    const int8_t *const *rows_end;
    int32_t step;                  /* bytes from one tap to the next */
    const uint32_t *weights;
} dsp_depthwise;

/* One pixel by all groups of four channels. */
void dsp_depthwise_three(dsp_depthwise *work);

#endif
