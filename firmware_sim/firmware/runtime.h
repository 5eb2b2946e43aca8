/* A model image, checked once and then executed. */
#ifndef TINYFLEET_RUNTIME_H
#define TINYFLEET_RUNTIME_H

#include "image.h"
#include "kernels.h"

enum runtime_status {
    RUNTIME_OK = 0,
    RUNTIME_NO_IMAGE = 1,     /* the magic number is missing */
    RUNTIME_OTHER_FORMAT = 2, /* made for another runtime */
    RUNTIME_DAMAGED = 3,      /* checksum, or a record that leaves the image */
    RUNTIME_OTHER_KIND = 4,   /* an operator that this runtime lacks */
    RUNTIME_NO_ROOM = 5,      /* the arena or the slot is too small */
};

/* Checks everything that execution relies on and resets the model's kept state. */
int32_t runtime_bind(memory *m, const void *image, uint32_t slot_bytes, void *arena, uint32_t arena_bytes);

/* Kept state back to its first values: a new stream begins. */
void runtime_reset(const memory *m);

/* One inference: from arena + input_at to arena + output_at. */
void runtime_invoke(const memory *m);

/* Called before each operator: where a profiler stops to look. */
void runtime_op(uint32_t index);

#endif
