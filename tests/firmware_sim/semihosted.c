/* The runtime on any machine with semihosting: answers each of `inputs` in hex, with the SysTick ticks it took. */
#include "runtime.h"

extern const int8_t inputs[];
extern const uint32_t input_count;
extern const uint8_t image_start[];
extern int8_t arena_start[], arena_end[];

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18, APPLICATION_EXIT = 0x20026, LAST_TICK = 0xFFFFFF };

static volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010; /* control, reload, current */

static void call_host(uint32_t operation, uint32_t argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register uint32_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(uint32_t value, int32_t digits, char end) {
    char text[10];
    int32_t at = 0;
    while (digits--) {
        text[at++] = "0123456789abcdef"[value >> 4 * digits & 15];
    }
    text[at++] = end;
    text[at] = 0;
    call_host(SYS_WRITE0, (uint32_t)text);
}

int main(void) {
    const image_header *image = (const image_header *)image_start;
    memory model;
    print((uint32_t)runtime_bind(&model, image, image->bytes, arena_start, (uint32_t)(arena_end - arena_start)), 8, '\n');
    systick[1] = LAST_TICK;
    systick[0] = 5;
    for (uint32_t turn = 0; turn < input_count; turn++) {
        __builtin_memcpy(arena_start + image->input_at, inputs + turn * image->input_bytes, image->input_bytes);
        systick[2] = 0;
        const uint32_t before = systick[2];
        runtime_invoke(&model);
        print((before - systick[2]) & LAST_TICK, 8, ' ');
        for (uint32_t at = 0; at < image->output_bytes; at++) {
            print((uint8_t)arena_start[image->output_at + at], 2, at + 1 < image->output_bytes ? '\0' : '\n');
        }
    }
    call_host(SYS_EXIT, APPLICATION_EXIT);
    return 0;
}
