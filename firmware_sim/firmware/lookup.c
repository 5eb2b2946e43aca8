/* Every operator that makes each value of one value; outputs may lie over inputs. */
#include "kernels.h"

void run_lookup(const memory *m, const void *record) {
    const lookup_record *op = record;
    const uint8_t *table = m->image + op->table;
    const uint8_t *in = (const uint8_t *)m->arena + op->in;
    uint8_t *out = (uint8_t *)m->arena + op->out;
    uint8_t *const end = out + op->count;
    /* Four at once: the loop's own instructions would be half of all. */
    for (; end - out >= 4; in += 4, out += 4) {
        const uint8_t a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
        out[0] = a;
        out[1] = b;
        out[2] = c;
        out[3] = d;
    }
    while (out < end) {
        *out++ = table[*in++];
    }
}
