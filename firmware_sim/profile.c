/* Counts basic blocks for a profile; compiled for the host, called by the emulator at each block. */
#include <stdint.h>

enum { MOST_BLOCKS = 16384, MOST_PHASES = 1024 };

typedef struct {
    uint32_t base;    /* first code address */
    uint32_t bytes;   /* of code */
    uint32_t marker;  /* block that begins the next phase */
    uint32_t phase;   /* 0 until the marker is first met */
    uint32_t blocks;  /* known ones */
    uint32_t last;    /* number of the block before, plus 1 */
    uint32_t lost;    /* blocks outside the code, or more than fit */
    uint32_t row;     /* blocks per phase in counts and taken */
    uint32_t *ids;    /* [bytes / 2]: number plus 1 of the block that starts there */
    uint32_t *starts; /* [row] */
    uint32_t *sizes;  /* [row], bytes */
    uint64_t *counts; /* [phases][row]: times entered */
    uint64_t *taken;  /* [phases][row]: times left for elsewhere than the next address */
    uint32_t phases;
} profile;

static uint32_t number(profile *p, uint32_t address, uint32_t size) {
    const uint32_t at = address - p->base;
    if (at >= p->bytes) {
        p->lost++;
        return 0;
    }
    uint32_t *id = p->ids + at / 2;
    if (*id == 0 && p->blocks < p->row) {
        p->starts[p->blocks] = address;
        p->sizes[p->blocks] = size;
        *id = ++p->blocks;
    }
    return *id;
}

void on_block(void *engine, uint64_t address, uint32_t size, void *user) {
    profile *p = user;
    (void)engine;
    const uint32_t start = (uint32_t)address & ~1u;
    if (p->last) {
        const uint32_t before = p->last - 1;
        if (p->starts[before] + p->sizes[before] != start) {
            p->taken[(uint64_t)p->phase * p->row + before]++;
        }
    }
    if (start == p->marker && p->phase + 1 < p->phases) {
        p->phase++;
    }
    const uint32_t id = number(p, start, size);
    if (id == 0) {
        p->lost++;
        p->last = 0;
        return;
    }
    if (p->sizes[id - 1] != size) {
        /* The emulator cut a block elsewhere: count what it says now. */
        p->sizes[id - 1] = size;
        p->lost++;
    }
    p->counts[(uint64_t)p->phase * p->row + id - 1]++;
    p->last = id;
}
