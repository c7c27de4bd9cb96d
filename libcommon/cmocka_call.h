/* cmocka for tests that also include call.h: both have a macro fail(), and call.h's is the one
 * meant. Include this instead of cmocka.h, before ours. */
#ifndef MANABIYA_CMOCKA_CALL_H
#define MANABIYA_CMOCKA_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail
#undef fail_msg
#define fail_msg(...)                                                                              \
	(print_error("ERROR: " __VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#endif
