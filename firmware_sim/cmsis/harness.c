/* What stands before a generated sequence of CMSIS-NN calls: the emulator runs it as it runs the runtime. */
#include "arm_nnfunctions.h"
#include "arm_nnsupportfunctions.h"
#include "mailbox.h"

__attribute__((noinline)) void runtime_op(uint32_t index) { __asm__ volatile("" : : "r"(index)); }

static int32_t scratch[4096];
static const cmsis_nn_context context = {scratch, sizeof scratch};

typedef struct {
    int32_t zero, multiplier, shift;
} operand;

static int32_t rescaled(int32_t value, int32_t multiplier, int32_t shift) {
    return arm_nn_requantize(value, multiplier, shift);
}

/* ADD, for which the package has no CMSIS-NN kernel: one value at a time, TFLM's arithmetic. */
static void add(const int8_t *a, operand first, const int8_t *b, operand second, int8_t *out, operand made, int32_t low,
                int32_t high, int32_t count) {
    for (int32_t at = 0; at < count; at++) {
        const int32_t x = rescaled((a[at] - first.zero) * (1 << 20), first.multiplier, first.shift);
        const int32_t y = rescaled((b[at] - second.zero) * (1 << 20), second.multiplier, second.shift);
        const int32_t sum = rescaled(x + y, made.multiplier, made.shift) + made.zero;
        out[at] = (int8_t)(sum < low ? low : sum > high ? high : sum);
    }
}

static void infer(void);

int main(void) {
    for (;;) {
        wait_for_host();
        if (mailbox.command == COMMAND_INVOKE) {
            infer();
        }
        mailbox.status = 0;
    }
}
