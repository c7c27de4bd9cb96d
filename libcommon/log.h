/*
 * One JSON object per line on stderr: {"time":…,"level":…,"service":…,"message":…,…}.
 * No personal data, no secrets. A write(2) holds whole lines, so those of several threads never
 * mix. Who reads nothing for a second is not waited for any more: lines are lost then, and one that
 * says how many comes before the next that is read.
 */
#ifndef MANABIYA_LOG_H
#define MANABIYA_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* "debug", "info", "warning", "error"; anything else is info. */
enum log_level log_level_of(const char *name);

/* Called once, before the first thread. `service` must outlive the process. */
void log_open(const char *service, enum log_level least);

/*
 * From here on, lines may wait up to 20 ms for others and share a write with them; a warning or an
 * error is written at once, with all that came before it. A line of its own for every request was a
 * tenth of a service's system calls. A crash writes what waits before it takes its course. Called
 * once, when the process is about to serve.
 */
void log_gather(void);
void log_flush(void); /* write what waits; exit() does it too */

/* A member of the line: text (NULL leaves it out) or an integer. */
struct log_pair {
	const char *name;
	const char *text;
	int64_t integer;
	bool is_integer;
};
#define LOG_TEXT(name_, text_) ((struct log_pair){ .name = (name_), .text = (text_) })
#define LOG_INT(name_, integer_)                                                                   \
	((struct log_pair){ .name = (name_), .integer = (int64_t)(integer_), .is_integer = true })

void log_write(
	enum log_level level, const char *message, const struct log_pair *pairs, unsigned pairs_n);

#define LOG_PAIRS(...)                                                                             \
	(const struct log_pair[]){ __VA_ARGS__ },                                                  \
		(unsigned)(sizeof((const struct log_pair[]){ __VA_ARGS__ }) /                      \
			sizeof(struct log_pair))
#define log_event(level_, message_, ...) log_write((level_), (message_), LOG_PAIRS(__VA_ARGS__))

/* Plain lines without members. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
