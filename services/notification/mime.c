/* A mail as text: RFC 5322 with UTF-8 in base64 (RFC 2045, 2047). Pure code, no sockets. */
#include <string.h>
#include <time.h>

#include "services/notification/notification.h"

#define LINE_BYTES 57 /* 76 base64 characters, the longest line of RFC 2045 */
#define WORD_BYTES 45 /* 60 characters and =?UTF-8?B?…?= stay within the 75 of RFC 2047 */
#define JAPAN_SECONDS (9 * 3600)
#define ADDRESS_MAX 254 /* RFC 5321 */

static void add_base64(struct buf *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		unsigned b = (unsigned)bytes[i] << 16;
		b |= i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0;
		b |= i + 2 < n ? (unsigned)bytes[i + 2] : 0;
		buf_char(out, digits[b >> 18]);
		buf_char(out, digits[b >> 12 & 63]);
		buf_char(out, i + 1 < n ? digits[b >> 6 & 63] : '=');
		buf_char(out, i + 2 < n ? digits[b & 63] : '=');
	}
}

/* How much of the text fits into one encoded word without cutting a character. */
static size_t word_size(const char *text)
{
	size_t n = strnlen(text, WORD_BYTES + 1);
	if (n <= WORD_BYTES)
		return n;
	n = WORD_BYTES;
	while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void add_subject(struct buf *out, const char *text)
{
	buf_text(out, "Subject:");
	do {
		size_t n = word_size(text);
		buf_text(out, " =?UTF-8?B?");
		add_base64(out, (const unsigned char *)text, n);
		text += n;
		buf_text(out, *text ? "?=\r\n" : "?=");
	} while (*text);
	buf_text(out, "\r\n");
}

static void add_date(struct buf *out, int64_t unix_ms)
{
	char text[64];
	struct tm moment;
	time_t seconds = (time_t)(unix_ms / 1000 + JAPAN_SECONDS);
	if (gmtime_r(&seconds, &moment) &&
		strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S +0900\r\n", &moment))
		buf_text(out, text);
}

static void add_body(struct buf *out, const char *text)
{
	struct buf lines = { .arena = out->arena };
	for (; *text; text++)
		buf_text(&lines, *text == '\n' ? "\r\n" : (const char[]){ *text, '\0' });
	for (size_t at = 0; at < lines.n; at += LINE_BYTES) {
		size_t n = lines.n - at < LINE_BYTES ? lines.n - at : LINE_BYTES;
		add_base64(out, (const unsigned char *)lines.data + at, n);
		buf_text(out, "\r\n");
	}
}

const char *mime_write(struct arena *arena, const struct mail *mail)
{
	struct buf out = { .arena = arena };
	const char *domain = strrchr(mail->from, '@');
	add_date(&out, mail->created_unix_ms);
	buf_printf(&out, "From: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s%s>\r\n", mail->from, mail->to,
		mail->id, domain ? domain : "@localhost");
	add_subject(&out, mail->subject);
	buf_text(&out,
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=UTF-8\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Auto-Submitted: auto-generated\r\n\r\n");
	add_body(&out, mail->body);
	return out.data;
}

bool is_mail_address(const char *text)
{
	const char *at = strchr(text, '@');
	if (!at || at == text || !at[1] || strlen(text) > ADDRESS_MAX)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("<>,;:\\\"", *text))
			return false;
	return true;
}
