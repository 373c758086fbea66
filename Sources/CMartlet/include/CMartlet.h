// C shims: what Swift cannot say itself, or cannot say fast.
#pragma once
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, reflected 0x82F63B78). `seed` is the value of a previous call, 0 to begin; so that
// crc(crc(0, a), b) == crc(0, a followed by b). Uses the CPU's instruction where it has one, tables elsewhere.
uint32_t martlet_crc32c(uint32_t seed, const void *data, size_t length);

// The portable implementation, exposed so that tests can hold the fast one against it.
uint32_t martlet_crc32c_portable(uint32_t seed, const void *data, size_t length);
