#include <zlib.h>
#include <lz4frame.h>
#include <snappy-c.h>
