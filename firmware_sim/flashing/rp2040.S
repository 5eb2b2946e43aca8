/* Second stage of the RP2040's boot: its ROM copies the first 252 bytes of flash to RAM, compares their
 * checksum with the next four, and jumps there (RP2040 datasheet, 2.8.1.3). Flash can be executed from
 * only once the serial interface (4.10) knows how to read it. Command 03h with one data line is what every
 * flash chip knows; it is not the fastest. Position-independent: the ROM decides where it runs. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ VTOR, 0xE000ED08
    .equ VECTORS, 0x10000100 /* behind this page */

    .equ SETTINGS, 6

    .section .text
    .global second_stage
    .thumb_func
second_stage:
    adr r0, settings
    ldr r1, =SSI
    movs r2, #SETTINGS
next_setting:
    ldm r0!, {r3, r4}
    str r4, [r1, r3]
    subs r2, #1
    bne next_setting
    ldr r0, =VECTORS
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2

    .balign 4
settings: /* offset of the register, value */
    .word 0x08, 0            /* SSIENR: off, else the rest cannot be set */
    .word 0x14, 4            /* BAUDR: a quarter of the system clock */
    .word 0x00, 0x001F0300   /* CTRLR0: one line, 32-bit frames, send command and address, then receive */
    .word 0x04, 0            /* CTRLR1: one frame a read */
    .word 0xF4, 0x03000218   /* SPI_CTRLR0: command 03h of 8 bits, address of 24 bits */
    .word 0x08, 1            /* SSIENR: on */
    .if . - settings != 8 * SETTINGS
    .error "SETTINGS is not their number"
    .endif
    .pool
