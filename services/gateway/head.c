/* The line discipline of a head: every line ends in CR LF, none is folded, no control bytes. */
#include "services/gateway/head.h"

enum state {
	START, /* nothing yet; one empty line is forgiven (RFC 9112, 2.2) */
	BLANK_CR,
	IN_LINE,
	LINE_CR,
	LINE_START,
	LAST_CR,
	DONE,
	BAD,
};

/* What may stand in a line: no controls but HT. */
static bool is_text(unsigned char c)
{
	return c >= 0x20 ? c != 0x7f : c == '\t';
}

/* The fast way through the middle of a line; stops at what needs a look. */
static size_t text_run(const char *data, size_t n)
{
	size_t i = 0;
	while (i < n && is_text((unsigned char)data[i]))
		i++;
	return i;
}

static enum state line_begins(struct head *head, size_t fields_max, char c)
{
	head->line_n = 1;
	if (++head->lines > fields_max + 1) /* and the request line */
		return BAD;
	return is_text((unsigned char)c) && c != ' ' && c != '\t' ? IN_LINE : BAD;
}

static enum state step(struct head *head, size_t fields_max, char c)
{
	switch ((enum state)head->state) {
	case START:
		if (c == '\r' && !head->is_blank_skipped)
			return BLANK_CR;
		return line_begins(head, fields_max, c);
	case BLANK_CR:
		head->is_blank_skipped = true;
		return c == '\n' ? START : BAD;
	case IN_LINE:
		return c == '\r' ? LINE_CR : BAD;
	case LINE_CR:
		return c == '\n' ? LINE_START : BAD;
	case LINE_START:
		return c == '\r' ? LAST_CR : line_begins(head, fields_max, c);
	case LAST_CR:
		return c == '\n' ? DONE : BAD;
	case DONE:
	case BAD:
		break;
	}
	return BAD;
}

enum head_result head_scan(
	struct head *head, const struct head_limits *limits, const char *data, size_t n)
{
	while (head->n < n && head->state != DONE && head->state != BAD) {
		if (head->state == IN_LINE) {
			size_t run = text_run(data + head->n, n - head->n);
			head->n += run;
			head->line_n += run;
			if (head->line_n > HEAD_LINE_MAX)
				head->state = BAD;
			if (run > 0)
				continue;
		}
		head->state = step(head, limits->fields, data[head->n]);
		head->n++;
	}
	if (head->state == BAD || head->n > limits->bytes)
		return HEAD_MALFORMED;
	return head->state == DONE ? HEAD_COMPLETE : HEAD_INCOMPLETE;
}
