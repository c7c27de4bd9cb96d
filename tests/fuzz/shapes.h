/* The shapes of everything that services are sent, collected by shapes.py. */
#ifndef MANABIYA_FUZZ_SHAPES_H
#define MANABIYA_FUZZ_SHAPES_H

#include "libcommon/shape.h"

extern const struct shape *const fuzz_shapes[];
extern const size_t fuzz_shapes_n;

#endif
