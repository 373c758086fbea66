#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CMartlet.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(O_DIRECT)
const int martlet_o_direct = O_DIRECT;
#else
const int martlet_o_direct = 0;
#endif

int martlet_open(const char *path, int flags, unsigned mode) {
    int descriptor;
    do descriptor = open(path, flags | O_CLOEXEC, (mode_t)mode);
    while (descriptor < 0 && errno == EINTR);
    return descriptor < 0 ? -errno : descriptor;
}

// A failed flush is never repeated, not even after EINTR: the kernel may already have forgotten the dirty pages.
int martlet_flush(int descriptor) {
#if defined(__APPLE__)
    return fcntl(descriptor, F_FULLFSYNC) == 0 ? 0 : -errno;
#else
    return fdatasync(descriptor) == 0 ? 0 : -errno;
#endif
}

int martlet_drop_cache(int descriptor) {
#if defined(__linux__)
    return -posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
#else
    (void)descriptor;
    return 0;
#endif
}

int martlet_allocate(int descriptor, int64_t length) {
#if defined(__linux__)
    int result;
    do result = fallocate(descriptor, 0, 0, (off_t)length);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
#else
    return ftruncate(descriptor, (off_t)length) == 0 ? 0 : -errno;
#endif
}

int martlet_punch_hole(int descriptor, int64_t position, int64_t length) {
#if defined(__linux__)
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(descriptor, mode, (off_t)position, (off_t)length) == 0 ? 0 : -errno;
#else
    (void)descriptor, (void)position, (void)length;
    return -ENOTSUP;
#endif
}

int64_t martlet_write_vector(int descriptor, const struct iovec *vector, int count, int64_t position) {
    ssize_t written;
    do written = pwritev(descriptor, vector, count, (off_t)position);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

// Not repeated after EINTR either: part of what it does is a flush.
int64_t martlet_write_durably(int descriptor, const struct iovec *vector, int count, int64_t position) {
#if defined(RWF_DSYNC)
    ssize_t written = pwritev2(descriptor, vector, count, (off_t)position, RWF_DSYNC);
    return written < 0 ? -errno : written;
#else
    int64_t written = martlet_write_vector(descriptor, vector, count, position);
    int flushed = written < 0 ? 0 : martlet_flush(descriptor);
    return flushed < 0 ? flushed : written;
#endif
}

int martlet_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno; }

void martlet_name_thread(const char *name) {
#if defined(__APPLE__)
    pthread_setname_np(name);
#else
    pthread_setname_np(pthread_self(), name);
#endif
}
