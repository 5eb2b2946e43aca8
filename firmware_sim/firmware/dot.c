#include "dot.h"

#include "simd.h"

int32_t dot8(const int8_t *a, const int8_t *b, int32_t count, int32_t sum) {
#if HAS_SIMD
    for (; count >= 4; count -= 4, a += 4, b += 4) {
        const uint32_t x = load4(a), y = load4(b);
        sum = __smlad(odds(x), odds(y), __smlad(evens(x), evens(y), sum));
    }
#endif
    for (; count > 0; count--) {
        sum += *a++ * *b++;
    }
    return sum;
}
