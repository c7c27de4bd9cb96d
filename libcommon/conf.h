/*
 * Options: one table per module gives the configuration file, the environment, the command line and
 * --help.
 *
 * Order of precedence: command line `--name value` or `--name=value`, environment MANABIYA_<NAME>
 * (upper case, `-` as `_`), file given with `--conf FILE` (`name = value`, `#` comments), the
 * table's default. An unknown name in the file or on the command line, a value out of bounds, or a
 * missing required value stops the process with one clear line.
 */
#ifndef MANABIYA_CONF_H
#define MANABIYA_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/err.h"

enum option_kind {
	OPTION_TEXT, /* const char * */
	OPTION_INTEGER, /* int64_t within min..max */
	OPTION_BOOLEAN, /* bool: true or false */
	OPTION_SECRET, /* const char *: the value is a path, the content of that file is stored,
			  without its last newline */
	OPTION_READS, /* const char *: path of a file or directory that stays readable (view.h) */
	OPTION_RELOADS, /* the same, when the file may be replaced while the process runs */
	OPTION_WRITES, /* const char *: path of a file or directory that stays writable */
	OPTION_WRITES_EACH, /* const char *: NAME=PATH,…: directories that stay writable */
};

#define OPTION_TEXT_MAX 4096

struct option {
	const char *name; /* kebab-case */
	enum option_kind kind;
	const char *fallback; /* as text; NULL makes the option required, "" is an empty text */
	size_t offset; /* in the struct that `base` points to */
	int64_t min,
		max; /* value of an integer; bytes of a text, where max 0 means OPTION_TEXT_MAX */
	const char *help; /* one line: what, unit, and why the bounds */
};

/* One module's table and the struct that it fills. */
struct option_set {
	const struct option *options;
	size_t n;
	void *base;
};

/*
 * Fill every set. `--help` prints the table and exits 0. A mistake prints one line on stderr and
 * returns ERR_INVALID. Texts live as long as the process.
 */
must_check enum err conf_read(int argc, char **argv, const struct option_set *sets, size_t sets_n);

/* Tell view.h the paths that the filled sets name: the process will see these and no others. */
void conf_view(const struct option_set *sets, size_t sets_n);

#endif
