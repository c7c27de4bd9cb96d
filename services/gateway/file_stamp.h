/* Has a file changed? Stamps that differ say yes; one that is missing has a stamp, too. */
#ifndef MANABIYA_GATEWAY_FILE_STAMP_H
#define MANABIYA_GATEWAY_FILE_STAMP_H

#include <stdint.h>

#define FILE_STAMP_NONE UINT64_C(0xcbf29ce484222325)

/* Of several files: each takes the stamp of those before it. "" is no file. */
uint64_t file_stamp(uint64_t before, const char *path);

#endif
