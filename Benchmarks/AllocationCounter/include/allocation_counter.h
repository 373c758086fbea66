#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// How many blocks of memory the calling thread has asked for: malloc, calloc, realloc and their aligned kin.
uint64_t allocation_counter_read(void);

#endif
