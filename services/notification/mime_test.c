/* Mail as text: what other programs must be able to read. */
#include <string.h>

#include "libcommon/testing.h"
#include "services/notification/notification.h"

static struct arena *arena;

static int open_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static const char *write_mail(const char *subject, const char *body)
{
	const struct mail mail = { .id = "01890000-0000-7000-8000-000000000001",
		.from = "manabiya@example.jp",
		.to = "admin@example.jp",
		.subject = subject,
		.body = body,
		.created_unix_ms = 1775608200123 };
	return mime_write(arena, &mail);
}

static void headers_are_as_the_rfc_says(void **state)
{
	assert_string_equal(write_mail("あ", "ab\n"),
		"Date: Wed, 08 Apr 2026 09:30:00 +0900\r\n"
		"From: <manabiya@example.jp>\r\n"
		"To: <admin@example.jp>\r\n"
		"Message-ID: <01890000-0000-7000-8000-000000000001@example.jp>\r\n"
		"Subject: =?UTF-8?B?44GC?=\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=UTF-8\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Auto-Submitted: auto-generated\r\n\r\n"
		"YWINCg==\r\n");
}

static void a_long_subject_is_folded_between_characters(void **state)
{
	struct buf subject = { .arena = arena };
	buf_text(&subject, "a"); /* so that 45 bytes would cut a character */
	for (int i = 0; i < 40; i++)
		buf_text(&subject, "長");
	const char *text = strstr(write_mail(subject.data, ""), "Subject:");
	size_t words = 0;
	for (const char *at = text; (at = strstr(at, "=?UTF-8?B?")); at++) {
		assert_true(strcspn(at, "\r") <= 75);
		words++;
	}
	assert_int_equal(words, 3);
	/* 1 + 14 × 3 = 43 bytes in the first word: padded with one `=`. */
	assert_memory_equal(strstr(text, "?=\r\n") - 2, "==?=\r\n", 6);
}

static void nothing_can_break_out_of_a_header(void **state)
{
	const char *text = write_mail("x\r\nBcc: evil@example.org", "");
	assert_null(strstr(text, "Bcc"));
}

static void body_lines_are_short(void **state)
{
	char body[5000];
	memset(body, 'x', sizeof(body));
	body[sizeof(body) - 1] = '\0';
	const char *text = strstr(write_mail("s", body), "\r\n\r\n") + 4;
	for (; *text; text += strcspn(text, "\r") + 2)
		assert_true(strcspn(text, "\r") <= 76);
}

static void addresses_are_told_from_other_text(void **state)
{
	const char *good[] = { "a@b", "system-administrators@example.jp", "a+b@c.example" };
	const char *bad[] = { "", "a", "@b", "a@", "a b@c", "a@b\r\nRCPT TO:<x@y>", "<a@b>",
		"a@b,c@d", "\"a\"@b" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(is_mail_address(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(is_mail_address(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_as_the_rfc_says),
		cmocka_unit_test(a_long_subject_is_folded_between_characters),
		cmocka_unit_test(nothing_can_break_out_of_a_header),
		cmocka_unit_test(body_lines_are_short),
		cmocka_unit_test(addresses_are_told_from_other_text),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
