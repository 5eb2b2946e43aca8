/* The inner loops of convolutions on cores without DSP instructions; thumb.h says what they do.
 *
 * Sums are in the high registers, which ADD reaches and little else; LDRSB takes two low registers, so one
 * of them counts 0 to 7 for all pointers.
 */
#if !(defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro enter
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0, r4-r7}
    ldm r0!, {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
.endm

.macro leave
    pop {r0}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stm r0!, {r4-r7}
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
.endm

/* One value of each patch by both channels: r1 r2 patches, r3 weights, r0 which of the four; then the next. */
.macro value next
    ldrsb r4, [r1, r0]
    ldrsb r5, [r2, r0]
    ldrsb r6, [r3, r0]
    adds r0, #4
    mov r7, r6
    muls r7, r4, r7
    add r8, r8, r7
    muls r6, r5, r6
    add r10, r10, r6
    ldrsb r6, [r3, r0]
    muls r4, r6, r4
    add r9, r9, r4
    muls r6, r5, r6
    add r11, r11, r6
    \next
.endm

    .section .text.thumb_conv, "ax", %progbits
    .global thumb_conv
    .type thumb_conv, %function
    .thumb_func
    .align 2
thumb_conv:
    enter
    ldr r4, [sp, #40]
    mov r12, r4
1:  movs r0, #0
    value "subs r0, #3"
    value "subs r0, #3"
    value "subs r0, #3"
    value
    adds r1, #4
    adds r2, #4
    adds r3, #8
    cmp r3, r12
    bne 1b
    leave
    .size thumb_conv, . - thumb_conv

#define ROW 0
#define ROWS_END 4
#define OFFSET 8
#define STEP 12
#define TAPS 16
#define WEIGHTS 20

.macro channel sum
    ldrsb r3, [r1, r0]
    ldrsb r4, [r2, r0]
    muls r3, r4, r3
    add \sum, \sum, r3
.endm

    .section .text.thumb_depthwise, "ax", %progbits
    .global thumb_depthwise
    .type thumb_depthwise, %function
    .thumb_func
    .align 2
thumb_depthwise:
    enter
    mov r7, r1
    ldr r2, [r7, #WEIGHTS]
    ldr r6, [r7, #STEP]
1:  ldr r3, [r7, #ROW]
    ldr r1, [r3]
    adds r3, #4
    str r3, [r7, #ROW]
    ldr r4, [r7, #OFFSET]
    adds r1, r1, r4
    ldr r5, [r7, #TAPS]
2:  movs r0, #0
    channel r8
    adds r0, #1
    channel r9
    adds r0, #1
    channel r10
    adds r0, #1
    channel r11
    adds r1, r1, r6
    adds r2, #4
    subs r5, #1
    bne 2b
    ldr r3, [r7, #ROW]
    ldr r4, [r7, #ROWS_END]
    cmp r3, r4
    bne 1b
    leave
    .size thumb_depthwise, . - thumb_depthwise

#define SCALE 4
#define SHIFT 8
#define CHANNEL_BYTES 12

/* (sum * scale + 2^31) >> 32 by halves of 16 bits, as multiply_top in fixed_point.h does it; then the shift that
 * rounds halves away from zero. */
    .section .text.thumb_requantise, "ax", %progbits
    .global thumb_requantise
    .type thumb_requantise, %function
    .thumb_func
    .align 2
thumb_requantise:
    push {r4-r7, lr}
    mov r12, r3
    ldr r4, [sp, #20]
    mov lr, r4
1:  ldm r1!, {r3}                   /* the sum: low half r5, high half r3 */
    ldr r4, [r2, #SCALE]            /* low half r6, high half r4 */
    uxth r5, r3
    asrs r3, r3, #16
    uxth r6, r4
    lsrs r4, r4, #16
    mov r7, r5
    muls r7, r6, r7
    lsrs r7, r7, #16
    muls r5, r4, r5
    adds r7, r7, r5
    muls r6, r3, r6
    muls r3, r4, r3
    movs r4, #128
    lsls r4, r4, #8
    adds r7, r7, r4
    uxth r4, r7
    adds r6, r6, r4
    asrs r6, r6, #16
    lsrs r7, r7, #16
    adds r3, r3, r7
    adds r3, r3, r6
    asrs r4, r3, #31
    adds r3, r3, r4
    ldr r4, [r2, #SHIFT]
    asrs r3, r4
    adds r3, #1
    asrs r3, r3, #1
    add r3, r3, r12
    sxtb r4, r3
    cmp r4, r3
    beq 2f
    asrs r3, r3, #31                /* beyond int8: -1 or 0 to -128 or 127 */
    movs r4, #127
    eors r3, r4
2:  strb r3, [r0]
    adds r0, #1
    adds r2, #CHANNEL_BYTES
    cmp r2, lr
    bne 1b
    pop {r4-r7, pc}
    .size thumb_requantise, . - thumb_requantise
#endif
