/* The table of libcommon/algorithms.h, one use a line: what for, algorithm, parameters, key; tabs
 * between them. */
#include "ctl/algorithms.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/algorithms.h"

int algorithms_command(int argc, char **argv)
{
	if (argc > 1) {
		bool is_help = strcmp(argv[1], "--help") == 0;
		(void)fprintf(is_help ? stdout : stderr, "usage: manabiyactl algorithms\n");
		return is_help ? 0 : 2;
	}
	struct arena *arena = arena_new();
	for (size_t i = 0; i < algorithms_n; i++) {
		const struct algorithm *row = &algorithms[i];
		(void)printf("%s\t%s%s\t%s\t%s\n", row->purpose, row->name, row->how,
			algorithm_parameters(arena, row), row->key);
	}
	arena_free(arena);
	return 0;
}
