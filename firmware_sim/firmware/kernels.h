/* The kernels: one operator each, reading its record and constants from flash, its tensors in the arena. */
#ifndef TINYFLEET_KERNELS_H
#define TINYFLEET_KERNELS_H

#include "image.h"

typedef struct {
    const uint8_t *image;
    int8_t *arena;
} memory;

void run_conv(const memory *m, const void *record);
void run_depthwise(const memory *m, const void *record);
void run_pool(const memory *m, const void *record);
void run_bilinear(const memory *m, const void *record);
void run_softmax(const memory *m, const void *record);
void run_svdf(const memory *m, const void *record);
void run_lstm(const memory *m, const void *record);
void run_widen(const memory *m, const void *record);
void run_binary(const memory *m, const void *record);
void run_copy(const memory *m, const void *record);
void run_resize(const memory *m, const void *record);
void run_lookup(const memory *m, const void *record);
void run_reduce(const memory *m, const void *record);

/* An operand: in the arena, or in the image at the complement of a negative place. */
static inline const int8_t *operand(const memory *m, int32_t place) {
    return place < 0 ? (const int8_t *)m->image + ~place : m->arena + place;
}

#endif
