/* The inner loops of convolutions on cores with DSP instructions; dsp.h says what they do.
 *
 * SXTB16 makes two int16 of the even bytes of a word, and of the odd ones after a rotation; SMLAD adds two
 * products to a sum. Loads stand together, for then they overlap (Cortex-M4 TRM, 3.3.3); they do not write
 * their base back, for such loads would not.
 */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
    .syntax unified
    .thumb

/* A sum back to int8. scale is a Q31 significand doubled, read as signed: as it is 2^32 too small then, SMMLAR
 * adds the sum itself, and gives (2 * sum * significand + 2^31) >> 32 exactly. halvings: one less than the
 * shift to the right; zero point in lr. */
.macro requantise sum, scale, halvings
    smmlar \sum, \sum, \scale, \sum
    add \sum, \sum, \sum, asr #31
    asr \sum, \sum, \halvings
    add \sum, \sum, #1
    add \sum, lr, \sum, asr #1
    ssat \sum, #8, \sum
.endm

#define OUT 0
#define CHANNELS 8
#define CHANNELS_END 16
#define PATCHES 20
#define ODD_END 24
#define END 28
#define CONV_WEIGHTS 32
#define OFFSET 4
#define ROWS 20
#define STEP 28
#define DEPTHWISE_WEIGHTS 32

/* Four sums (r4 r5 of the first pixel's two channels, r6 r7 of the second's) take in four values each.
 * r0 weights, r1 patches; r3 r8-r12 lr are lost. */
.macro block at
    ldr r8, [r1, #(16 * \at)]
    ldr r9, [r1, #(16 * \at + 4)]
    ldr r10, [r1, #(16 * \at + 8)]
    ldr r11, [r1, #(16 * \at + 12)]
    ldr r12, [r0, #(8 * \at)]
    ldr r3, [r0, #(8 * \at + 4)]
    sxtb16 lr, r12
    sxtb16 r12, r12, ror #8
    smlad r4, r8, lr, r4
    smlad r6, r10, lr, r6
    smlad r4, r9, r12, r4
    smlad r6, r11, r12, r6
    sxtb16 lr, r3
    sxtb16 r3, r3, ror #8
    smlad r5, r8, lr, r5
    smlad r7, r10, lr, r7
    smlad r5, r9, r3, r5
    smlad r7, r11, r3, r7
.endm

    .section .text.dsp_conv_two, "ax", %progbits
    .global dsp_conv_two
    .type dsp_conv_two, %function
    .thumb_func
    .align 2
dsp_conv_two:
    push {r4-r11, lr}
    sub sp, #8                      /* [sp] work, [sp, 4] odd_end */
    str r0, [sp]
    mov r12, r0
    ldr r1, [r0, #ODD_END]
    str r1, [sp, #4]
    ldr r3, [r12, #CHANNELS]
    ldr r0, [r12, #CONV_WEIGHTS]
1:  /* a pair of channels: r12 work, r3 channels, r0 weights */
    ldr r1, [r12, #PATCHES]
    ldr r2, [r12, #END]
    ldr r4, [r3]
    ldr r5, [r3, #12]
    ldr lr, [sp, #4]
    mov r6, r4
    mov r7, r5
    cmp r1, lr
    beq 3f
2:  block 0
    adds r1, #16
    adds r0, #8
    ldr lr, [sp, #4]
    cmp r1, lr
    bne 2b
3:  cmp r1, r2
    beq 5f
4:  block 0
    block 1
    block 2
    block 3
    adds r1, #64
    adds r0, #32
    cmp r1, r2
    bne 4b
5:  ldr r12, [sp]
    ldm r12, {r1-r3, lr}            /* out, depth, channels, zero */
    ldrd r8, r9, [r3, #4]
    ldrd r10, r11, [r3, #16]
    requantise r4, r8, r9
    requantise r5, r10, r11
    requantise r6, r8, r9
    requantise r7, r10, r11
    strb r4, [r1]
    strb r5, [r1, #1]
    strb r6, [r1, r2]
    adds r1, #1
    strb r7, [r1, r2]
    adds r1, #1
    str r1, [r12, #OUT]
    adds r3, #24
    str r3, [r12, #CHANNELS]
    ldr lr, [r12, #CHANNELS_END]
    cmp r3, lr
    bne 1b
    add sp, #8
    pop {r4-r11, pc}
    .size dsp_conv_two, . - dsp_conv_two

/* A tap of four channels: r4-r7 sums, x place within the row at r1, weight within those at r0. */
.macro tap weight, at:vararg
    ldr r10, [r0, #\weight]        /* first, for r1 has just been computed */
    ldr r8, [r1\at]
    sxtb16 r9, r8, ror #8
    sxtb16 r8, r8
    sxtb16 r11, r10, ror #8
    sxtb16 r10, r10
    smlabb r4, r8, r10, r4
    smlatt r6, r8, r10, r6
    smlabb r5, r9, r11, r5
    smlatt r7, r9, r11, r7
.endm

    .section .text.dsp_depthwise_three, "ax", %progbits
    .global dsp_depthwise_three
    .type dsp_depthwise_three, %function
    .thumb_func
    .align 2
dsp_depthwise_three:
    push {r4-r11, lr}
    sub sp, #4
    str r0, [sp]
    mov lr, r0
    ldr r2, [lr, #OFFSET]
    ldr r3, [lr, #CHANNELS]
    ldr r0, [lr, #DEPTHWISE_WEIGHTS]
1:  /* four channels: lr work, r2 offset, r3 channels, r0 weights */
    ldr r4, [r3]
    ldr r5, [r3, #12]
    ldr r6, [r3, #24]
    ldr r7, [r3, #36]
    ldr r12, [lr, #STEP]
    ldrd r3, lr, [lr, #ROWS]        /* and rows_end */
2:  ldr r1, [r3]
    adds r3, #4
    add r1, r1, r2
    tap 0
    tap 4, , r12
    tap 8, , r12, lsl #1
    adds r0, #12
    cmp r3, lr
    bne 2b
    ldr r12, [sp]
    ldm r12, {r1-r3, lr}            /* out, offset, channels, zero */
    ldrd r8, r9, [r3, #4]
    ldrd r10, r11, [r3, #16]
    requantise r4, r8, r9
    requantise r5, r10, r11
    ldrd r8, r9, [r3, #28]
    ldrd r10, r11, [r3, #40]
    requantise r6, r8, r9
    requantise r7, r10, r11
    mov lr, r12
    strb r4, [r1]
    strb r5, [r1, #1]
    strb r6, [r1, #2]
    strb r7, [r1, #3]
    adds r1, #4
    adds r2, #4
    adds r3, #48
    stm r12, {r1-r3}
    ldr r12, [lr, #CHANNELS_END]
    cmp r3, r12
    bne 1b
    add sp, #4
    pop {r4-r11, pc}
    .size dsp_depthwise_three, . - dsp_depthwise_three
#endif
