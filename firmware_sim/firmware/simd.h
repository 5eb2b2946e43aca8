/* Four int8 values at once on cores with DSP instructions (Armv7E-M, Armv8-M with DSP); plain C elsewhere. */
#ifndef TINYFLEET_SIMD_H
#define TINYFLEET_SIMD_H

#include <stdint.h>

/* One word from anywhere; a single load on cores that take unaligned ones. */
static inline uint32_t load4(const void *from) {
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#include <arm_acle.h>

#define HAS_SIMD 1

/* Values 0 and 2 of a word of four, as two int16. */
static inline int16x2_t evens(uint32_t word) { return __sxtb16(word); }
/* Values 1 and 3. */
static inline int16x2_t odds(uint32_t word) { return __sxtb16(__ror(word, 8)); }

#else

#define HAS_SIMD 0

#endif
#endif
