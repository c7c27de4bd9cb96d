#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/queue.h"

static void bytes_come_out_as_they_went_in(void **state)
{
	struct queue queue = { 0 };
	unsigned char in = 0, out = 0;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned char piece[97];
		size_t n = round % sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = in++;
		queue_add(&queue, piece, n);
		size_t take = queue_n(&queue) < 45 ? queue_n(&queue) : 45;
		for (size_t i = 0; i < take; i++)
			assert_int_equal((unsigned char)queue_data(&queue)[i], out++);
		queue_take(&queue, take);
	}
	assert_int_equal((unsigned char)(queue_n(&queue)), (unsigned char)(in - out));
	queue_free(&queue);
}

static void an_empty_queue_holds_nothing(void **state)
{
	struct queue queue = { 0 };
	queue_text(&queue, "abc");
	queue_take(&queue, 3);
	assert_null(queue.bytes);
	assert_int_equal(queue.capacity, 0);
	memcpy(queue_room(&queue, 5), "hello", 5);
	queue_added(&queue, 5);
	assert_memory_equal(queue_data(&queue), "hello", 5);
	queue_free(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in),
		cmocka_unit_test(an_empty_queue_holds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
