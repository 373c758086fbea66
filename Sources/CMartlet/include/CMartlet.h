// C shims: what Swift cannot say itself, or cannot say fast.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// CRC-32C (Castagnoli, reflected 0x82F63B78). `seed` is the value of a previous call, 0 to begin; so that
// crc(crc(0, a), b) == crc(0, a followed by b). Uses the CPU's instruction where it has one, tables elsewhere.
uint32_t martlet_crc32c(uint32_t seed, const void *data, size_t length);

// The portable implementation, exposed so that tests can hold the fast one against it.
uint32_t martlet_crc32c_portable(uint32_t seed, const void *data, size_t length);

// The CRC-32C of two pieces, one behind the other, from the CRC of each and the length of the second.
uint32_t martlet_crc32c_combine(uint32_t first, uint32_t second, size_t second_length);

// Storage calls. Each returns 0 (or what it says) when it succeeds and -errno when it does not.

// O_DIRECT, which has no name in Swift; 0 where there is none.
extern const int martlet_o_direct;
// open(2) with O_CLOEXEC; returns the descriptor.
int martlet_open(const char *path, int flags, unsigned mode);
// Forces the file's data, and the metadata needed to read it back, onto stable storage.
int martlet_flush(int descriptor);
// Forgets the cached pages of the file that have been written.
int martlet_drop_cache(int descriptor);
// Reserves disk space for the first `length` bytes and makes the file at least that long.
int martlet_allocate(int descriptor, int64_t length);
// Gives the space of a range back; it reads as zeros afterwards.
int martlet_punch_hole(int descriptor, int64_t position, int64_t length);
// pwritev(2); returns the number of bytes written, which may be fewer than asked for.
int64_t martlet_write_vector(int descriptor, const struct iovec *vector, int count, int64_t position);
// The same, and what was written is on stable storage afterwards (RWF_DSYNC): over blocks that exist the device is told
// to write through instead of being flushed.
int64_t martlet_write_durably(int descriptor, const struct iovec *vector, int count, int64_t position);
// Takes an exclusive lock that ends with the descriptor, or fails at once.
int martlet_lock(int descriptor);

// Names the calling thread for system tools; Linux takes at most 15 bytes.
void martlet_name_thread(const char *name);
