/* Vector table, reset, and faults, for Cortex-M without an operating system or a C library. */
#include <stdint.h>

extern uint32_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void reset_handler(void);
void fault_handler(void);

__attribute__((used, section(".vectors"))) const void *const vectors[16] = {
    [0] = stack_top, [1] = (const void *)reset_handler, [2 ... 6] = (const void *)fault_handler,
};

void *memcpy(void *restrict to, const void *restrict from, unsigned int bytes) {
    uint8_t *d = to;
    const uint8_t *s = from;
    /* Words where both allow it: most copies are rows of whole words. */
    if (!(((uintptr_t)d | (uintptr_t)s) & 3u)) {
        for (; bytes >= 16; bytes -= 16, d += 16, s += 16) {
            const uint32_t *w = (const uint32_t *)s;
            uint32_t *v = (uint32_t *)d;
            const uint32_t a = w[0], b = w[1], c = w[2], e = w[3];
            v[0] = a;
            v[1] = b;
            v[2] = c;
            v[3] = e;
        }
        for (; bytes >= 4; bytes -= 4, d += 4, s += 4) {
            *(uint32_t *)d = *(const uint32_t *)s;
        }
    }
    while (bytes--) {
        *d++ = *s++;
    }
    return to;
}

void *memset(void *to, int value, unsigned int bytes) {
    uint8_t *d = to;
    const uint32_t word = (uint8_t)value * 0x01010101u;
    while (((uintptr_t)d & 3u) && bytes) {
        *d++ = (uint8_t)value;
        bytes--;
    }
    for (; bytes >= 4; bytes -= 4, d += 4) {
        *(uint32_t *)d = word;
    }
    while (bytes--) {
        *d++ = (uint8_t)value;
    }
    return to;
}

__attribute__((noreturn)) void fault_handler(void) {
    for (;;) {
    }
}

__attribute__((noreturn)) void reset_handler(void) {
    const uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    main();
    fault_handler();
}
