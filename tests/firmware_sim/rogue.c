/* A firmware that does one wrong thing when it is told to; the host leaves what, and where, in variables. */
#include "mailbox.h"

enum { READ = 1, WRITE, CALL, RECURSE };

volatile uint32_t deed, place;

/* The volatile array has to be on the stack before the next call. */
__attribute__((noinline)) static uint32_t recurse(uint32_t depth) {
    volatile uint32_t room[16];
    room[depth & 15] = depth;
    return deed ? recurse(depth + 1) + room[depth & 15] : 0;
}

int main(void) {
    for (;;) {
        wait_for_host();
        switch (deed) {
        case READ:
            (void)*(volatile uint32_t *)place;
            break;
        case WRITE:
            *(volatile uint32_t *)place = 1;
            break;
        case CALL:
            ((void (*)(void))(place | 1))();
            break;
        case RECURSE:
            recurse(0);
            break;
        }
        mailbox.status = 0;
    }
}
