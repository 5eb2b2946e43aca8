#include "runtime.h"

#include "check.h"

typedef void (*kernel)(const memory *m, const void *record);

static const kernel kernels[RECORD_KINDS] = {
    [RECORD_CONV] = run_conv,
    [RECORD_DEPTHWISE] = run_depthwise,
    [RECORD_POOL] = run_pool,
    [RECORD_SOFTMAX] = run_softmax,
    [RECORD_SVDF] = run_svdf,
    [RECORD_LSTM] = run_lstm,
    [RECORD_WIDEN] = run_widen,
    [RECORD_BINARY] = run_binary,
    [RECORD_COPY] = run_copy,
    [RECORD_RESIZE] = run_resize,
    [RECORD_LOOKUP] = run_lookup,
    [RECORD_REDUCE] = run_reduce,
    [RECORD_BILINEAR] = run_bilinear,
};

/* IEEE 802.3, reflected; a nibble at a time keeps the table at 64 bytes. The words at crc32 count as zero. */
static uint32_t checksum(const image_header *image) {
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    const uint8_t *bytes = (const uint8_t *)image;
    const uint32_t skipped = __builtin_offsetof(image_header, crc32);
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t at = 0; at < image->bytes; at++) {
        crc ^= at - skipped < sizeof image->crc32 ? 0 : bytes[at];
        crc = table[crc & 15] ^ (crc >> 4);
        crc = table[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}

static int32_t check_records(const image_header *image) {
    uint32_t at = image->ops_at;
    for (uint32_t index = 0; index < image->ops; index++) {
        if (at % 4 || at < sizeof *image || at > image->bytes - sizeof(record_head)) {
            return RUNTIME_DAMAGED;
        }
        const record_head head = *(const record_head *)((const uint8_t *)image + at);
        const uint32_t bytes = 4 * RECORD_WORDS(head);
        if (bytes == 0 || bytes > image->bytes - at) {
            return RUNTIME_DAMAGED;
        }
        if (RECORD_KIND(head) >= RECORD_KINDS || !kernels[RECORD_KIND(head)]) {
            return RUNTIME_OTHER_KIND;
        }
        if (!check_record(image, (const record_head *)((const uint8_t *)image + at))) {
            return RUNTIME_DAMAGED;
        }
        at += bytes;
    }
    return RUNTIME_OK;
}

static int32_t check(const image_header *image, uint32_t slot_bytes, uint32_t arena_bytes) {
    if (slot_bytes < sizeof *image || (uintptr_t)image % IMAGE_ALIGNMENT || image->magic != IMAGE_MAGIC) {
        return RUNTIME_NO_IMAGE;
    }
    if (image->format != IMAGE_FORMAT) {
        return RUNTIME_OTHER_FORMAT;
    }
    if (image->bytes > slot_bytes || image->arena_bytes > arena_bytes) {
        return RUNTIME_NO_ROOM;
    }
    if (image->bytes < sizeof *image || checksum(image) != image->crc32) {
        return RUNTIME_DAMAGED;
    }
    return check_header(image) ? check_records(image) : RUNTIME_DAMAGED;
}

void runtime_reset(const memory *m) {
    const image_header *image = (const image_header *)m->image;
    if (image->state_at) {
        __builtin_memcpy(m->arena, m->image + image->state_at, image->state_bytes);
    } else {
        __builtin_memset(m->arena, 0, image->state_bytes);
    }
}

int32_t runtime_bind(memory *m, const void *image, uint32_t slot_bytes, void *arena, uint32_t arena_bytes) {
    const int32_t status = check(image, slot_bytes, arena_bytes);
    if (status == RUNTIME_OK) {
        m->image = image;
        m->arena = arena;
        runtime_reset(m);
    }
    return status;
}

__attribute__((noinline)) void runtime_op(uint32_t index) { __asm__ volatile("" : : "r"(index)); }

void runtime_invoke(const memory *m) {
    const image_header *image = (const image_header *)m->image;
    const uint8_t *record = m->image + image->ops_at;
    for (uint32_t index = 0; index < image->ops; index++) {
        const record_head head = *(const record_head *)record;
        runtime_op(index);
        kernels[RECORD_KIND(head)](m, record);
        record += 4 * RECORD_WORDS(head);
    }
    runtime_op(image->ops);
}
