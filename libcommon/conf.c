/*
 * Options from the command line, the environment, a file and the table, in this order of weight.
 *
 * First every source only notes its text in the option's slot, the heavier one winning; then each
 * slot is checked and stored once. Nothing is stored unless every name was known.
 */
#include "libcommon/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/crypto.h"
#include "libcommon/view.h"

enum weight { WEIGHT_FALLBACK, WEIGHT_FILE, WEIGHT_ENVIRONMENT, WEIGHT_COMMAND };

struct slot {
	const struct option *option;
	void *base;
	const char *text; /* NULL: required and not given */
	enum weight weight;
};

struct reader {
	const char *program;
	struct slot *slots;
	size_t slots_n;
	const char *file; /* --conf */
	bool help;
};

/* Texts outlive the reader: options point into them until the process ends. */
static struct arena *texts;

static enum err mistake(const struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum err mistake(const struct reader *reader, const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", reader->program, line);
	return ERR_INVALID;
}

static struct slot *find(const struct reader *reader, const char *name, size_t length)
{
	for (size_t i = 0; i < reader->slots_n; i++) {
		const char *known = reader->slots[i].option->name;
		if (strlen(known) == length && memcmp(known, name, length) == 0)
			return &reader->slots[i];
	}
	return NULL;
}

static void note(struct slot *slot, enum weight weight, const char *text)
{
	if (slot->text && slot->weight > weight)
		return;
	slot->text = text;
	slot->weight = weight;
}

/* ---- sources ---- */

static bool is_name(const char *name, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

/* Take `--name=value` or `--name value` at argv[*i]. */
static enum err read_argument(struct reader *reader, int argc, char **argv, int *i)
{
	const char *argument = argv[*i];
	if (strncmp(argument, "--", 2) != 0)
		return mistake(reader, "unexpected argument: %.100s", argument);
	const char *name = argument + 2;
	size_t length = strcspn(name, "=");
	if (is_name(name, length, "help") && !name[length]) {
		reader->help = true;
		return OK;
	}
	struct slot *slot = find(reader, name, length);
	if (!slot && !is_name(name, length, "conf"))
		return mistake(reader, "unknown option: --%.*s (see --help)",
			(int)(length > 100 ? 100 : length), name);
	if (!name[length] && *i + 1 >= argc)
		return mistake(reader, "--%s needs a value", name);
	const char *value = name[length] ? name + length + 1 : argv[++*i];
	if (slot)
		note(slot, WEIGHT_COMMAND, value);
	else
		reader->file = value;
	return OK;
}

static enum err read_command(struct reader *reader, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		enum err e = read_argument(reader, argc, argv, &i);
		if (e)
			return e;
	}
	return OK;
}

static const char *environment_name(const char *name)
{
	char *text = arena_printf(texts, "MANABIYA_%s", name);
	for (char *next = text; *next; next++)
		*next = *next == '-' ? '_' : (char)toupper((unsigned char)*next);
	return text;
}

static void read_environment(struct reader *reader)
{
	for (size_t i = 0; i < reader->slots_n; i++) {
		const char *value = getenv(environment_name(reader->slots[i].option->name));
		if (value)
			note(&reader->slots[i], WEIGHT_ENVIRONMENT, arena_strdup(texts, value));
	}
	if (!reader->file)
		reader->file = getenv("MANABIYA_CONF");
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t n = strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

static enum err read_file_line(struct reader *reader, char *line, unsigned number)
{
	char *text = trim(line);
	if (*text == '\0' || *text == '#')
		return OK;
	char *value = strchr(text, '=');
	if (!value)
		return mistake(reader, "%s:%u: not of the form name = value", reader->file, number);
	*value++ = '\0';
	const char *name = trim(text);
	struct slot *slot = find(reader, name, strlen(name));
	if (!slot)
		return mistake(reader, "%s:%u: unknown option: %.100s", reader->file, number, name);
	note(slot, WEIGHT_FILE, arena_strdup(texts, trim(value)));
	return OK;
}

static enum err read_open_file(struct reader *reader, FILE *file)
{
	char line[OPTION_TEXT_MAX + 128];
	for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
		if (strlen(line) == sizeof line - 1)
			return mistake(reader, "%s:%u: line too long", reader->file, number);
		enum err e = read_file_line(reader, line, number);
		if (e)
			return e;
	}
	return ferror(file) ? mistake(reader, "%s: %s", reader->file, strerror(errno)) : OK;
}

static enum err read_file(struct reader *reader)
{
	if (!reader->file)
		return OK;
	FILE *file = fopen(reader->file, "re");
	if (!file)
		return mistake(reader, "%s: %s", reader->file, strerror(errno));
	enum err e = read_open_file(reader, file);
	fclose(file);
	return e;
}

/* ---- values ---- */

static int64_t text_max(const struct option *option)
{
	return option->max ? option->max : OPTION_TEXT_MAX;
}

static enum err check_length(
	const struct reader *reader, const struct option *option, size_t length, const char *what)
{
	if ((int64_t)length >= option->min && (int64_t)length <= text_max(option))
		return OK;
	return mistake(reader, "--%s: %s has %zu bytes, not %" PRId64 "..%" PRId64, option->name,
		what, length, option->min, text_max(option));
}

static enum err store_text(const struct reader *reader, const struct slot *slot, void *field)
{
	*(const char **)field = slot->text;
	return check_length(reader, slot->option, strlen(slot->text), "the value");
}

static enum err store_integer(const struct reader *reader, const struct slot *slot, void *field)
{
	const struct option *option = slot->option;
	char *end = NULL;
	errno = 0;
	long long value = strtoll(slot->text, &end, 10);
	bool is_digits = isdigit((unsigned char)slot->text[slot->text[0] == '-']) && !*end;
	if (!is_digits || errno || value < option->min || value > option->max)
		return mistake(reader,
			"--%s: %.40s is not a whole number within %" PRId64 "..%" PRId64,
			option->name, slot->text, option->min, option->max);
	*(int64_t *)field = value;
	return OK;
}

static enum err store_boolean(const struct reader *reader, const struct slot *slot, void *field)
{
	bool is_true = strcmp(slot->text, "true") == 0;
	if (!is_true && strcmp(slot->text, "false") != 0)
		return mistake(reader, "--%s: %.40s is neither true nor false", slot->option->name,
			slot->text);
	*(bool *)field = is_true;
	return OK;
}

/* The file's content in locked memory, without its last newline. */
static enum err load_secret(
	const struct reader *reader, const struct slot *slot, FILE *file, const char **out)
{
	size_t size = (size_t)text_max(slot->option) + 2; /* newline, and one byte too many */
	char *secret = crypto_secret_alloc(size + 1);
	*out = secret;
	size_t n = fread(secret, 1, size, file);
	if (ferror(file))
		return mistake(reader, "--%s: %s: cannot be read", slot->option->name, slot->text);
	if (n > 0 && secret[n - 1] == '\n')
		secret[--n] = '\0';
	if (strlen(secret) != n)
		return mistake(reader, "--%s: %s: holds a NUL", slot->option->name, slot->text);
	return check_length(reader, slot->option, n, "the file");
}

static enum err store_secret(const struct reader *reader, const struct slot *slot, void *field)
{
	*(const char **)field = "";
	if (slot->text[0] == '\0')
		return OK;
	FILE *file = fopen(slot->text, "re");
	if (!file)
		return mistake(
			reader, "--%s: %s: %s", slot->option->name, slot->text, strerror(errno));
	setvbuf(file, NULL, _IONBF, 0); /* or stdio would keep a copy of the secret */
	enum err e = load_secret(reader, slot, file, field);
	fclose(file);
	return e;
}

typedef enum err store_value(const struct reader *reader, const struct slot *slot, void *field);

static store_value *const STORE[] = {
	[OPTION_TEXT] = store_text,
	[OPTION_INTEGER] = store_integer,
	[OPTION_BOOLEAN] = store_boolean,
	[OPTION_SECRET] = store_secret,
	[OPTION_READS] = store_text,
	[OPTION_RELOADS] = store_text,
	[OPTION_WRITES] = store_text,
	[OPTION_WRITES_EACH] = store_text,
};

static enum err store_all(const struct reader *reader)
{
	for (size_t i = 0; i < reader->slots_n; i++) {
		const struct slot *slot = &reader->slots[i];
		if (!slot->text)
			return mistake(reader, "--%s is required", slot->option->name);
		void *field = (char *)slot->base + slot->option->offset;
		enum err e = STORE[slot->option->kind](reader, slot, field);
		if (e)
			return e;
	}
	return OK;
}

/* ---- help ---- */

static const char *const KIND_TEXT[] = {
	[OPTION_TEXT] = "TEXT",
	[OPTION_INTEGER] = "NUMBER",
	[OPTION_BOOLEAN] = "true|false",
	[OPTION_SECRET] = "FILE",
	[OPTION_READS] = "PATH",
	[OPTION_RELOADS] = "PATH",
	[OPTION_WRITES] = "PATH",
	[OPTION_WRITES_EACH] = "NAME=PATH,…",
};

static void print_option(const struct option *option)
{
	printf("  --%s %s\n      %s", option->name, KIND_TEXT[option->kind],
		option->help ? option->help : "");
	if (option->kind == OPTION_INTEGER)
		printf(" [%" PRId64 "..%" PRId64 "]", option->min, option->max);
	if (!option->fallback)
		printf(" (required)");
	else if (option->fallback[0])
		printf(" (default: %s)", option->fallback);
	printf("\n      environment: %s\n", environment_name(option->name));
}

static void print_help(const struct reader *reader)
{
	printf("Usage: %s [--conf FILE] [--name value | --name=value]...\n\n", reader->program);
	printf("Weight: command line, environment, file (name = value), default.\n\n");
	for (size_t i = 0; i < reader->slots_n; i++)
		print_option(reader->slots[i].option);
}

/* ---- all together ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void fill_slots(
	struct reader *reader, const struct option_set *sets, size_t sets_n, struct arena *arena)
{
	size_t total = 0;
	for (size_t i = 0; i < sets_n; i++)
		total += sets[i].n;
	reader->slots = arena_array(arena, total + 1, sizeof *reader->slots);
	for (size_t i = 0; i < sets_n; i++)
		for (size_t j = 0; j < sets[i].n; j++) {
			const struct option *option = &sets[i].options[j];
			assert(!find(reader, option->name, strlen(option->name)));
			reader->slots[reader->slots_n++] = (struct slot){
				.option = option, .base = sets[i].base, .text = option->fallback
			};
		}
}

static enum err read_sources(struct reader *reader, int argc, char **argv)
{
	enum err e = read_command(reader, argc, argv);
	if (e)
		return e;
	if (reader->help) {
		print_help(reader);
		exit(0);
	}
	read_environment(reader);
	return read_file(reader);
}

enum err conf_read(int argc, char **argv, const struct option_set *sets, size_t sets_n)
{
	crypto_start();
	if (!texts)
		texts = arena_new();
	struct reader reader = { .program = argc > 0 ? base_name(argv[0]) : "manabiya" };
	fill_slots(&reader, sets, sets_n, texts);
	enum err e = read_sources(&reader, argc, argv);
	return e ? e : store_all(&reader);
}

/* What is no NAME=PATH is for whoever reads the option to refuse. */
static void view_writes_each(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		const char *item = arena_strndup(texts, list, n), *path = strchr(item, '=');
		if (path)
			view_writes_directory(path + 1);
		list += n + (list[n] == ',');
	}
}

void conf_view(const struct option_set *sets, size_t sets_n)
{
	for (size_t i = 0; i < sets_n; i++)
		for (size_t j = 0; j < sets[i].n; j++) {
			const struct option *option = &sets[i].options[j];
			const void *field = (const char *)sets[i].base + option->offset;
			if (option->kind == OPTION_READS)
				view_reads(*(const char *const *)field);
			else if (option->kind == OPTION_RELOADS)
				view_reloads(*(const char *const *)field);
			else if (option->kind == OPTION_WRITES)
				view_writes(*(const char *const *)field);
			else if (option->kind == OPTION_WRITES_EACH)
				view_writes_each(*(const char *const *)field);
		}
}
