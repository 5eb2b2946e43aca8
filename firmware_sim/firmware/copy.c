/* Everything that only moves values: strided copies, each of up to five loops. */
#include "kernels.h"

static void copy_row(const copy_piece *piece, const int8_t *in, int8_t *out) {
    const int32_t count = piece->counts[4], in_step = piece->in_steps[4], out_step = piece->out_steps[4];
    if (in_step == 1 && out_step == 1) {
        __builtin_memcpy(out, in, (uint32_t)count);
        return;
    }
    for (int32_t at = 0; at < count; at++, in += in_step, out += out_step) {
        *out = *in;
    }
}

/* The four outer loops as one, counting like an odometer. */
static void run_piece(const copy_piece *piece, const int8_t *in, int8_t *out) {
    int32_t at[4] = {0, 0, 0, 0};
    for (;;) {
        copy_row(piece, in, out);
        int32_t axis = 3;
        for (; axis >= 0 && ++at[axis] == piece->counts[axis]; axis--) {
            in -= (at[axis] - 1) * piece->in_steps[axis];
            out -= (at[axis] - 1) * piece->out_steps[axis];
            at[axis] = 0;
        }
        if (axis < 0) {
            return;
        }
        in += piece->in_steps[axis];
        out += piece->out_steps[axis];
    }
}

void run_copy(const memory *m, const void *record) {
    const copy_record *op = record;
    __builtin_memset(m->arena + op->out, op->fill, (uint32_t)op->fill_bytes);
    for (int32_t at = 0; at < op->pieces; at++) {
        const copy_piece *piece = &op->piece[at];
        run_piece(piece, operand(m, piece->in), m->arena + piece->out);
    }
}
