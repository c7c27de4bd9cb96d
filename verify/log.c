/* A program for people says its errors plainly: this stands in for libcommon/log.c. */
#include "libcommon/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_error(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}
