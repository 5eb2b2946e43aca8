/* DEQUANTIZE: the float of each int8 value is a word of a table, so that cores without an FPU are as fast. */
#include "kernels.h"

void run_widen(const memory *m, const void *record) {
    const widen_record *op = record;
    const uint32_t *table = (const uint32_t *)(m->image + op->table) - INT8_MIN;
    const int8_t *in = m->arena + op->in;
    uint32_t *out = (uint32_t *)(m->arena + op->out);
    for (int32_t at = 0; at < op->values; at++) {
        out[at] = table[in[at]];
    }
}
