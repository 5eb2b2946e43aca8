/* The firmware's loop: the host, standing in for a driver, leaves a command in the mailbox and looks again. */
#include "mailbox.h"
#include "runtime.h"

static memory model;

extern int8_t arena_start[], arena_end[];

static int32_t execute(uint32_t command) {
    switch (command) {
    case COMMAND_BIND:
        return runtime_bind(&model, mailbox.image, mailbox.slot_bytes, arena_start,
                            (uint32_t)(arena_end - arena_start));
    case COMMAND_INVOKE:
        if (!model.image) {
            return RUNTIME_NO_IMAGE;
        }
        runtime_invoke(&model);
        return RUNTIME_OK;
    case COMMAND_RESET:
        if (!model.image) {
            return RUNTIME_NO_IMAGE;
        }
        runtime_reset(&model);
        return RUNTIME_OK;
    default:
        return -1;
    }
}

int main(void) {
    for (;;) {
        wait_for_host();
        mailbox.status = execute(mailbox.command);
    }
}
