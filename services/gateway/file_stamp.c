/* FNV-1a over what the kernel says about a file. */
#include "services/gateway/file_stamp.h"

#include <stddef.h>
#include <sys/stat.h>

uint64_t file_stamp(uint64_t before, const char *path)
{
	struct stat file = { 0 };
	if (*path && stat(path, &file) != 0)
		file.st_ino = 0;
	const uint64_t facts[] = { (uint64_t)file.st_dev, (uint64_t)file.st_ino,
		(uint64_t)file.st_size, (uint64_t)file.st_mtim.tv_sec,
		(uint64_t)file.st_mtim.tv_nsec };
	uint64_t hash = before;
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		hash = (hash ^ facts[i]) * 0x100000001b3;
	return hash;
}
