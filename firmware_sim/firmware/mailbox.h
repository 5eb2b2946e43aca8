/* Where the host, standing in for a driver, leaves a command. For the one file of a firmware that has main(). */
#ifndef TINYFLEET_MAILBOX_H
#define TINYFLEET_MAILBOX_H

#include <stdint.h>

enum command { COMMAND_BIND = 1, COMMAND_INVOKE = 2, COMMAND_RESET = 3 };

typedef struct {
    uint32_t command;
    int32_t status;
    const void *image;
    uint32_t slot_bytes;
} letter;

volatile letter mailbox;

/* Where the host stops the core. */
__attribute__((noinline)) void wait_for_host(void) { __asm__ volatile("nop"); }

#endif
