/* Facts about bus frames. */
#include "libcommon/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct frame sample(void)
{
	struct frame frame = {
		.kind = FRAME_REQUEST,
		.flags = FRAME_LAST_WINDOW,
		.status = 201,
		.id = 0x1122334455667788,
		.time_left_ms = 5000,
		.window_offset = 1 << 20,
		.window_length = -1,
	};
	frame.texts[TEXT_OPERATION] = frame_text("user_list");
	frame.texts[TEXT_BODY] = frame_text("{}");
	return frame;
}

static void what_is_written_is_read_back(void **state)
{
	struct frame frame = sample(), read;
	unsigned char bytes[512];
	size_t at = 0, n = frame_size(&frame);
	frame_write(&frame, bytes);
	frame_write(&frame, bytes + n);
	struct bytes message = { bytes, 2 * n };
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_read(message, &at, &read), OK);
		assert_int_equal(read.id, frame.id);
		assert_int_equal(read.window_length, -1);
		assert_int_equal(read.time_left_ms, 5000);
		assert_int_equal(read.texts[TEXT_OPERATION].n, 9);
		assert_memory_equal(read.texts[TEXT_BODY].data, "{}", 2);
	}
	assert_int_equal(frame_read(message, &at, &read), ERR_NOT_FOUND);
}

static void every_cut_is_refused(void **state)
{
	struct frame frame = sample(), read;
	unsigned char bytes[512];
	size_t n = frame_size(&frame);
	frame_write(&frame, bytes);
	for (size_t cut = 1; cut < n; cut++) {
		unsigned char *exact = malloc(cut); /* so that the sanitizer sees a read past it */
		size_t at = 0;
		memcpy(exact, bytes, cut);
		assert_int_equal(frame_read((struct bytes){ exact, cut }, &at, &read), ERR_INVALID);
		free(exact);
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	struct frame frame = sample(), read;
	unsigned char bytes[512];
	size_t n = frame_size(&frame);
	for (size_t i = 0; i < 4; i++) {
		size_t at = 0;
		frame_write(&frame, bytes);
		bytes[i] ^= 0x80; /* the size of the frame */
		assert_int_equal(frame_read((struct bytes){ bytes, n }, &at, &read), ERR_INVALID);
		at = 0;
		frame_write(&frame, bytes);
		bytes[36 + i] ^= 0x40; /* the size of the first text */
		assert_int_equal(frame_read((struct bytes){ bytes, n }, &at, &read), ERR_INVALID);
	}
}

/* A later version may send them; whoever reads passes over them. */
static void unknown_kinds_are_read(void **state)
{
	struct frame frame = sample(), read;
	unsigned char bytes[512];
	size_t at = 0;
	frame.kind = 200;
	frame_write(&frame, bytes);
	assert_int_equal(frame_read((struct bytes){ bytes, frame_size(&frame) }, &at, &read), OK);
	assert_int_equal(read.kind, 200);
	at = 0;
	frame.kind = 0;
	frame_write(&frame, bytes);
	assert_int_equal(
		frame_read((struct bytes){ bytes, frame_size(&frame) }, &at, &read), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(unknown_kinds_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
