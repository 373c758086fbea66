#include "CMartlet.h"
#include <stdbool.h>
#include <string.h>

#define POLY 0x82F63B78u

// ---- portable: eight tables of 256 entries ("slicing by 8") ----

static uint32_t tables[8][256];


__attribute__((constructor)) static void build_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = (c >> 1) ^ (POLY & (0u - (c & 1)));
        tables[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xFF];
}

uint32_t martlet_crc32c_portable(uint32_t seed, const void *data, size_t length) {
    const uint8_t *p = data;
    uint32_t c = ~seed;
    while (length >= 8) {
        uint32_t lo, hi;
        memcpy(&lo, p, 4);
        memcpy(&hi, p + 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        lo = __builtin_bswap32(lo);
        hi = __builtin_bswap32(hi);
#endif
        lo ^= c;
        c = tables[7][lo & 0xFF] ^ tables[6][(lo >> 8) & 0xFF] ^ tables[5][(lo >> 16) & 0xFF] ^ tables[4][lo >> 24] ^
            tables[3][hi & 0xFF] ^ tables[2][(hi >> 8) & 0xFF] ^ tables[1][(hi >> 16) & 0xFF] ^ tables[0][hi >> 24];
        p += 8;
        length -= 8;
    }
    while (length--) c = (c >> 8) ^ tables[0][(c ^ *p++) & 0xFF];
    return ~c;
}

// ---- combining: the CRC of a followed by b is that of a advanced over as many zero bytes, plus that of b ----

// powers[k]: x to the 2^k in the polynomials modulo the CRC's, reflected as the CRC is.
static uint32_t powers[64];

static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (; a; a <<= 1) {
        if (a & 0x80000000u) product ^= b;
        b = (b >> 1) ^ (POLY & (0u - (b & 1)));
    }
    return product;
}

__attribute__((constructor)) static void build_powers(void) {
    powers[0] = 0x40000000u;
    for (int k = 1; k < 64; k++) powers[k] = multiply(powers[k - 1], powers[k - 1]);
}

uint32_t martlet_crc32c_combine(uint32_t first, uint32_t second, size_t second_length) {
    // A byte is x to the 8th, so the length's lowest bit belongs to powers[3].
    for (int k = 3; second_length; second_length >>= 1, k++)
        if (second_length & 1) first = multiply(first, powers[k]);
    return first ^ second;
}

// ---- hardware: three interleaved streams, because one crc32 instruction has a latency of three cycles ----

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
#define STEP64(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define STEP8(crc, byte) _mm_crc32_u8((crc), (byte))
static bool have_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#define CRC_TARGET __attribute__((target("crc")))
#define STEP64(crc, word) __crc32cd((crc), (word))
#define STEP8(crc, byte) __crc32cb((crc), (byte))
static bool have_hardware(void) { return true; }
#endif

#ifdef CRC_TARGET

// Bytes per stream. Short enough that a 16 KiB batch uses it, long enough that joining the streams costs little.
#define LONG_STREAM 4096
#define SHORT_STREAM 256

// shift_tables[k][n][b]: the CRC of byte b (at position n of a CRC) followed by `stream` zero bytes.
static uint32_t shift_long[4][256], shift_short[4][256];

static uint32_t gf2_times(const uint32_t matrix[32], uint32_t vector) {
    uint32_t sum = 0;
    for (int i = 0; vector; vector >>= 1, i++)
        if (vector & 1) sum ^= matrix[i];
    return sum;
}

static void gf2_square(uint32_t out[32], const uint32_t in[32]) {
    for (int i = 0; i < 32; i++) out[i] = gf2_times(in, in[i]);
}

// Advances `crc` over `zero_bytes` (a power of two) zero bytes.
static void build_shift(uint32_t out[4][256], size_t zero_bytes) {
    uint32_t odd[32], even[32];
    odd[0] = POLY;  // one zero bit
    for (int i = 1; i < 32; i++) odd[i] = 1u << (i - 1);
    gf2_square(even, odd);
    gf2_square(odd, even);
    uint32_t *current = odd, *next = even;  // four zero bits
    for (size_t bits = 4; bits < zero_bytes * 8; bits *= 2) {
        gf2_square(next, current);
        uint32_t *swap = current;
        current = next;
        next = swap;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int n = 0; n < 4; n++) out[n][b] = gf2_times(current, b << (8 * n));
}

static bool hardware;

__attribute__((constructor)) static void prepare_hardware(void) {
    build_shift(shift_long, LONG_STREAM);
    build_shift(shift_short, SHORT_STREAM);
    hardware = have_hardware();
}

static inline uint32_t shift(const uint32_t table[4][256], uint32_t crc) {
    return table[0][crc & 0xFF] ^ table[1][(crc >> 8) & 0xFF] ^ table[2][(crc >> 16) & 0xFF] ^ table[3][crc >> 24];
}

CRC_TARGET static inline uint32_t three_streams(uint32_t c0, const uint8_t *p, size_t stream, const uint32_t table[4][256]) {
    uint32_t c1 = 0, c2 = 0;
    for (size_t i = 0; i < stream; i += 8) {
        uint64_t w0, w1, w2;
        memcpy(&w0, p + i, 8);
        memcpy(&w1, p + stream + i, 8);
        memcpy(&w2, p + 2 * stream + i, 8);
        c0 = STEP64(c0, w0);
        c1 = STEP64(c1, w1);
        c2 = STEP64(c2, w2);
    }
    return shift(table, shift(table, c0) ^ c1) ^ c2;
}

CRC_TARGET static uint32_t crc32c_hardware(uint32_t seed, const void *data, size_t length) {
    const uint8_t *p = data;
    uint32_t c = ~seed;
    for (; length >= 3 * LONG_STREAM; p += 3 * LONG_STREAM, length -= 3 * LONG_STREAM)
        c = three_streams(c, p, LONG_STREAM, shift_long);
    for (; length >= 3 * SHORT_STREAM; p += 3 * SHORT_STREAM, length -= 3 * SHORT_STREAM)
        c = three_streams(c, p, SHORT_STREAM, shift_short);
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        c = STEP64(c, w);
    }
    while (length--) c = STEP8(c, *p++);
    return ~c;
}

uint32_t martlet_crc32c(uint32_t seed, const void *data, size_t length) {
    return hardware ? crc32c_hardware(seed, data, length) : martlet_crc32c_portable(seed, data, length);
}

#else

uint32_t martlet_crc32c(uint32_t seed, const void *data, size_t length) {
    return martlet_crc32c_portable(seed, data, length);
}

#endif
