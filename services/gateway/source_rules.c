/* See source_rules.h. */
#include "services/gateway/source_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/log.h"
#include "services/gateway/file_stamp.h"

/* Twice what the longest rules need, one a line; the rest is room for comments. */
#define FILE_SIZE_MAX (SOURCE_RULES_MAX * 128)

static struct source_rules *in_use; /* NULL: everybody may connect */
static const char *path = "";
static uint64_t stamp;

/* ---- reading ---- */

static size_t trim(const char **text, size_t n)
{
	while (n && strchr(" \t\r", **text) && **text) {
		(*text)++;
		n--;
	}
	while (n && strchr(" \t\r", (*text)[n - 1]) && (*text)[n - 1])
		n--;
	return n;
}

/* Takes the word off the front of a line, with the blanks behind it. */
static bool take(const char **text, size_t *n, const char *word)
{
	size_t word_n = strlen(word);
	if (*n <= word_n || memcmp(*text, word, word_n) != 0 ||
		((*text)[word_n] != ' ' && (*text)[word_n] != '\t'))
		return false;
	*text += word_n;
	*n = trim(text, *n - word_n);
	return true;
}

static enum err read_line(struct source_rules *rules, const char *text, size_t n)
{
	const char *comment = memchr(text, '#', n);
	n = trim(&text, comment ? (size_t)(comment - text) : n);
	if (!n)
		return OK;
	bool is_allowed = take(&text, &n, "allow");
	if (rules->n == SOURCE_RULES_MAX || (!is_allowed && !take(&text, &n, "deny")))
		return ERR_INVALID;
	struct source_rule *rule = &rules->rules[rules->n++];
	rule->is_allowed = is_allowed;
	return cidr_read(text, n, &rule->range);
}

enum err source_rules_read(struct source_rules *rules, const char *text, size_t n, unsigned *line)
{
	rules->n = 0;
	for (*line = 1; n; (*line)++) {
		const char *end = memchr(text, '\n', n);
		size_t line_n = end ? (size_t)(end - text) : n;
		if (read_line(rules, text, line_n))
			return ERR_INVALID;
		line_n += end != NULL;
		text += line_n;
		n -= line_n;
	}
	return OK;
}

bool source_rules_admit(const struct source_rules *rules, const struct cidr *address)
{
	for (size_t i = 0; i < rules->n; i++) {
		if (cidr_has(&rules->rules[i].range, address))
			return rules->rules[i].is_allowed;
	}
	return true;
}

/* ---- the rules in use ---- */

static enum err complain(const char *reason, unsigned line)
{
	log_event(LOG_LEVEL_ERROR, "the source rules cannot be used", LOG_TEXT("path", path),
		LOG_TEXT("reason", reason), LOG_INT("line", line));
	return ERR_INVALID;
}

static enum err read_file(struct source_rules *rules)
{
	char *text = malloc(FILE_SIZE_MAX + 1);
	FILE *file = fopen(path, "re");
	if (!text)
		abort(); /* out of memory is never handled by callers */
	size_t n = file ? fread(text, 1, FILE_SIZE_MAX + 1, file) : 0;
	bool is_read = file && !ferror(file);
	unsigned line = 0;
	enum err e = OK;
	if (!is_read)
		e = complain(strerror(errno), 0);
	else if (n > FILE_SIZE_MAX)
		e = complain("too long", 0);
	else if (source_rules_read(rules, text, n, &line))
		e = complain("neither `allow RANGE` nor `deny RANGE`, or too many", line);
	if (file)
		fclose(file);
	free(text);
	return e;
}

/* The stamp is taken first: a file that changes meanwhile is seen the next time. */
enum err source_rules_load(const char *from)
{
	path = from;
	stamp = file_stamp(FILE_STAMP_NONE, path);
	if (!*path)
		return OK;
	struct source_rules *fresh = calloc(1, sizeof *fresh);
	if (!fresh)
		abort();
	enum err e = read_file(fresh);
	if (e) {
		free(fresh);
		return e;
	}
	free(in_use);
	in_use = fresh;
	log_event(LOG_LEVEL_INFO, "source rules loaded", LOG_INT("rules", (int64_t)fresh->n));
	return OK;
}

bool source_rules_changed(void)
{
	return *path && file_stamp(FILE_STAMP_NONE, path) != stamp;
}

void source_rules_stop(void)
{
	free(in_use);
	in_use = NULL;
	path = "";
}

/* What is no address, as of a listener that has none, is not let past rules. */
bool source_is_admitted(const char *text)
{
	struct cidr address;
	if (!in_use)
		return true;
	return cidr_read(text, strlen(text), &address) == OK &&
		source_rules_admit(in_use, &address);
}
