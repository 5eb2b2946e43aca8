/* For sources that want a C library: a copy of a few bytes is not to be a call. */
#pragma once
#include <stddef.h>
#define memcpy __builtin_memcpy
#define memset __builtin_memset
