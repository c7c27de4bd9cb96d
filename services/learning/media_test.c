/* Uploads part by part, and videos window by window, through the handlers and a real store. */
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/keyring_user.h"
#include "services/learning/lesson_world.h"
#include "services/learning/media_store.h"

#define SIZE 300000
#define WINDOW 262144

static struct test test;
static unsigned char video[SIZE];
static const char *directory;

static int open_world(void **state)
{
	test_open(&test, &learning_under_test);
	add_people(&test);
	directory = test_directory(&test);
	learning_media = media_store_open(directory);
	assert_non_null(learning_media);
	for (size_t i = 0; i < SIZE; i++)
		video[i] = (unsigned char)(i * 31 + i / 251);
	memcpy(video,
		"\0\0\0\x18"
		"ftypisom",
		12);
	return 0;
}

static int close_world(void **state)
{
	media_store_close(learning_media);
	test_close(&test);
	return 0;
}

static enum err end_call(struct call *c, enum err e)
{
	if (!e)
		return db_commit(c);
	db_rollback(c->db);
	return e;
}

static const char *begin(enum who who, int64_t size)
{
	const struct actor actor = person(&test, who);
	struct call c = test_call(&test, &actor);
	const struct learning_media_create_in in = { .tus_resumable = "1.0.0",
		.upload_length = size };
	struct learning_media_create_out out = { 0 };
	assert_int_equal(end_call(&c, learning_media_create(&c, &in, &out)), OK);
	assert_true(strncmp(out.location, "/v1/media/", 10) == 0);
	return out.location + 10;
}

/* A part in a window `behind` bytes into a body that began at `offset`. */
struct piece {
	int64_t offset, behind;
	const unsigned char *data;
	size_t n;
};

static const char *send(enum who who, const char *id, struct piece piece)
{
	const struct actor actor = person(&test, who);
	struct call c = test_call(&test, &actor);
	c.window.offset = piece.behind;
	const struct learning_media_append_in in = { .media_id = id,
		.tus_resumable = "1.0.0",
		.upload_offset = piece.offset,
		.body = { piece.data, piece.n } };
	struct learning_media_append_out out = { 0 };
	if (end_call(&c, learning_media_append(&c, &in, &out)) == OK)
		return out.upload_offset;
	return c.failure.problem->code;
}

static const char *whole_upload(enum who who)
{
	const char *id = begin(who, SIZE);
	assert_string_equal(send(who, id, (struct piece){ 0, 0, video, WINDOW }), "262144");
	assert_string_equal(
		send(who, id, (struct piece){ 0, WINDOW, video + WINDOW, SIZE - WINDOW }),
		"300000");
	return id;
}

/* ---- the job ---- */

static unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];

static enum err mint_for_job(struct call *c, const char *tenant_id, const char **capability)
{
	const struct actor actor = test_actor(&test, tenant_id, "learning", ROLE_SERVICE);
	*capability = capability_mint(c->arena, signing_key, &actor, clock_unix_ms());
	return OK;
}

/* One round of media_clean, a day and an hour from now. */
static void clean(void)
{
	const unsigned char seed[KEY_SIZE] = { 7 };
	struct service service = learning_under_test;
	crypto_sign_keys(seed, public_key, signing_key);
	service.service_capability = mint_for_job;
	clock_shift_ms(25 * 3600 * 1000);
	for (bool more = true; more;) {
		struct call c = test_call(&test, NULL);
		c.service = &service;
		c.auth_key = public_key;
		more = false;
		assert_int_equal(end_call(&c, media_clean(&c, &more)), OK);
	}
	clock_shift_ms(0);
}

static const char *received(const char *id)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT received || ' ' || coalesce(content_type, '') FROM learning.media"
			" WHERE id = '%s'",
			id));
}

static void an_upload_in_windows_is_read_in_windows(void **state)
{
	const char *id = whole_upload(P);
	const struct actor actor = person(&test, P);
	for (int64_t at = 0; at < SIZE; at += 100000) {
		struct call c = test_call(&test, &actor);
		c.window.offset = at;
		c.window.length = 100000;
		const struct learning_media_content_in in = { .media_id = id };
		struct learning_media_content_out out = { 0 };
		assert_int_equal(end_call(&c, learning_media_content(&c, &in, &out)), OK);
		assert_int_equal(out.body.n, 100000);
		assert_memory_equal(out.body.data, video + at, 100000);
		assert_int_equal(c.total_bytes, SIZE);
		assert_string_equal(c.content_type, "video/mp4");
		assert_string_equal(out.etag, arena_printf(test.arena, "\"%s\"", id));
	}
}

static enum err see(enum who who, const char *id)
{
	const struct actor actor = person(&test, who);
	struct call c = test_call(&test, &actor);
	c.window.length = 1;
	const struct learning_media_content_in in = { .media_id = id };
	struct learning_media_content_out out = { 0 };
	return end_call(&c, learning_media_content(&c, &in, &out));
}

/* The file is still there, as it is in every copy of it. */
static void a_pupils_videos_go_with_the_pupils_key(void **state)
{
	static const char *const erased[] = { PUPIL, TEACHER };
	const char *of_pupil = whole_upload(P), *of_mate = whole_upload(MATE),
		   *of_teacher = whole_upload(T);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, erased[i]), OK);
	assert_int_equal(see(P, of_pupil), ERR_NOT_FOUND);
	assert_int_equal(see(MATE, of_mate), OK);
	/* What the staff uploads is the school's. */
	assert_int_equal(see(T, of_teacher), OK);
}

static void a_video_is_readable_under_an_older_key_of_the_tenant(void **state)
{
	const char *of_pupil = whole_upload(P), *of_teacher = whole_upload(T);
	assert_int_equal(keyring_rotate(test.keyring, TEST_TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(see(P, of_pupil), OK);
	assert_int_equal(see(T, of_teacher), OK);
	assert_int_equal(see(P, whole_upload(P)), OK);
	clock_shift_ms(0);
	assert_string_equal(
		test_sql_text(
			&test, "SELECT count(DISTINCT left(sealed_key, 8)) FROM learning.media"),
		"3");
}

static void a_cut_upload_goes_on_where_it_was(void **state)
{
	const char *id = begin(P, SIZE);
	assert_string_equal(send(P, id, (struct piece){ 0, 0, video, 100001 }), "100001");
	struct reply head = ask(&test, P, "media_head",
		arena_printf(test.arena, "mediaId=%s&tusResumable=1.0.0", id), NULL);
	assert_non_null(strstr(head.headers.data, "Upload-Offset: 100001\r\n"));
	assert_non_null(strstr(head.headers.data, "Upload-Length: 300000\r\n"));
	assert_string_equal(
		send(P, id, (struct piece){ 100001, 0, video + 100001, SIZE - 100001 }), "300000");
	assert_string_equal(received(id), "300000 video/mp4");
}

static void a_part_elsewhere_is_refused(void **state)
{
	const char *id = begin(P, SIZE);
	const struct piece first = { 0, 0, video, 1000 };
	assert_string_equal(send(P, id, first), "1000");
	assert_string_equal(send(P, id, first), "offset_mismatch");
	assert_string_equal(send(P, id, (struct piece){ 1001, 0, video, 10 }), "offset_mismatch");
	assert_string_equal(
		send(P, id, (struct piece){ 1000, 0, video, SIZE - 999 }), "upload_too_long");
	assert_string_equal(received(id), "1000 video/mp4");
}

static void a_complete_upload_takes_no_more(void **state)
{
	const char *id = whole_upload(P);
	assert_string_equal(send(P, id, (struct piece){ SIZE, 0, video, 1 }), "upload_complete");
	assert_string_equal(send(P, id, (struct piece){ SIZE, 0, video, 0 }), "upload_complete");
}

static void an_upload_belongs_to_who_began_it(void **state)
{
	const char *id = begin(P, SIZE);
	const struct piece part = { 0, 0, video, 10 };
	assert_string_equal(send(MATE, id, part), "not_found");
	assert_string_equal(send(T, id, part), "not_found");
	assert_string_equal(send(FOREIGN_P, id, part), "not_found");
	assert_string_equal(send(P, MISSING, part), "not_found");
}

static void only_videos_are_kept(void **state)
{
	static const struct {
		const char *start;
		size_t n;
		const char *type; /* NULL: refused */
	} kinds[] = {
		{ "\0\0\0\x20"
		  "ftypmp42",
			12, "video/mp4" },
		{ "\0\0\0\x14"
		  "ftypqt  ",
			12, "video/quicktime" },
		{ "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", 16, "video/webm" },
		{ "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", 20, NULL },
		{ "\0\0\0\x20"
		  "ftypheic",
			12, NULL },
		{ "\0\0\0\x20"
		  "ftypM4A ",
			12, NULL },
		{ "\x89PNG\r\n\x1a\n", 8, NULL },
		{ "<html><script>", 14, NULL },
		{ "MZ", 2, NULL },
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		unsigned char file[100] = { 0 };
		memcpy(file, kinds[i].start, kinds[i].n);
		/* At once, and so that the beginning comes in three parts. */
		const char *id = begin(P, sizeof(file)), *slow = begin(P, sizeof(file));
		const char *end = send(P, id, (struct piece){ 0, 0, file, sizeof(file) });
		assert_string_equal(send(P, slow, (struct piece){ 0, 0, file, 3 }), "3");
		assert_string_equal(send(P, slow, (struct piece){ 3, 0, file + 3, 8 }), "11");
		const char *last = send(P, slow, (struct piece){ 11, 0, file + 11, 89 });
		assert_string_equal(end, kinds[i].type ? "100" : "not_a_video");
		assert_string_equal(last, kinds[i].type ? "100" : "not_a_video");
		assert_string_equal(received(id),
			kinds[i].type ? arena_printf(test.arena, "100 %s", kinds[i].type) : "0 ");
		test_sql(&test, "DELETE FROM learning.media");
	}
}

static void uploads_that_nobody_ends_are_bounded(void **state)
{
	for (int i = 0; i < 20; i++)
		(void)begin(P, 1000);
	struct reply reply =
		ask(&test, P, "media_create", "tusResumable=1.0.0&uploadLength=1000", NULL);
	expect_status(&reply, 429, "media_create", P);
	(void)begin(MATE, 1000);
}

static void what_is_used_cannot_be_deleted(void **state)
{
	test_sql(&test, LESSON_TRIES);
	struct reply used =
		ask(&test, P, "media_delete", "mediaId=" SHARED_MEDIA "&tusResumable=1.0.0", NULL);
	expect_status(&used, 409, "media_delete", P);
	struct reply model =
		ask(&test, T, "media_delete", "mediaId=" MODEL "&tusResumable=1.0.0", NULL);
	expect_status(&model, 409, "media_delete", T);
	const char *params =
		arena_printf(test.arena, "mediaId=%s&tusResumable=1.0.0", whole_upload(P));
	struct reply foreign = ask(&test, MATE, "media_delete", params, NULL);
	expect_status(&foreign, 404, "media_delete", MATE);
	struct reply unused = ask(&test, P, "media_delete", params, NULL);
	expect_status(&unused, 204, "media_delete", P);
	struct reply gone = ask(&test, P, "media_head", params, NULL);
	expect_status(&gone, 404, "media_head", P);
}

static void an_unfinished_video_is_not_used(void **state)
{
	test_sql(&test, LESSON_TRIES);
	const char *id = begin(P, SIZE);
	struct reply made = ask(&test, P, "try_create", NULL,
		arena_printf(test.arena,
			"{\"assignmentId\":\"" ASSIGNMENT "\",\"skillId\":\"" SKILL
			"\",\"mediaId\":\"%s\"}",
			id));
	expect_status(&made, 409, "try_create", P);
	assert_non_null(strstr(body_of(&test, &made), "media_unfinished"));
	struct reply seen =
		ask(&test, P, "media_content", arena_printf(test.arena, "mediaId=%s", id), NULL);
	expect_status(&seen, 404, "media_content", P);
}

static bool has_file(const char *id, const char *tail)
{
	const char *path = arena_printf(
		test.arena, "%s/%s/%s/%s%s", directory, TEST_TENANT, id + 34, id, tail);
	return access(path, F_OK) == 0;
}

static void what_nobody_came_back_for_is_removed(void **state)
{
	const struct piece part = { 0, 0, video, 1000 };
	const char *abandoned = begin(P, SIZE), *going_on = begin(P, SIZE),
		   *orphan = begin(P, SIZE);
	assert_string_equal(send(P, abandoned, part), "1000");
	assert_string_equal(send(P, going_on, part), "1000");
	const char *done = begin(P, SIZE);
	assert_string_equal(send(P, done, part), "1000");
	assert_string_equal(
		send(P, done, (struct piece){ 1000, 0, video + 1000, SIZE - 1000 }), "300000");
	assert_true(has_file(done, ".tail.1000"));
	test_sql(&test,
		arena_printf(test.arena,
			"UPDATE learning.media SET appended_at = now() - interval '25 hours'"
			" WHERE id IN ('%s', '%s'); DELETE FROM learning.media WHERE id = '%s'",
			abandoned, done, orphan));
	clean();
	assert_string_equal(received(abandoned), "");
	assert_false(has_file(abandoned, "") || has_file(abandoned, ".tail.1000"));
	assert_false(has_file(orphan, ""));
	assert_true(has_file(done, ""));
	assert_false(has_file(done, ".tail.1000"));
	assert_string_equal(received(done), "300000 video/mp4");
	assert_string_equal(
		send(P, going_on, (struct piece){ 1000, 0, video + 1000, SIZE - 1000 }), "300000");
}

/* An archive whose upload began as a video's. */
static const char *archive_left_alone(const char *for_)
{
	const char *id = begin(P, SIZE);
	assert_string_equal(send(P, id, (struct piece){ 0, 0, video, 1000 }), "1000");
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO learning.archive_import (tenant_id, id, created_by, size,"
			" sealed_key, changed_at) SELECT tenant_id, id, '" CONTRACTOR
			"', size, sealed_key, now() - interval '%s' FROM learning.media"
			" WHERE id = '%s'; DELETE FROM learning.media WHERE id = '%s'",
			for_, id, id));
	return id;
}

static void an_archive_that_nobody_went_on_with_is_removed_after_a_week(void **state)
{
	const char *old = archive_left_alone("7 days 1 minute"),
		   *young = archive_left_alone("6 days 23 hours");
	clean();
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(id::text, ' ')"
				    " FROM learning.archive_import"),
		young);
	assert_false(has_file(old, "") || has_file(old, ".tail.1000"));
	assert_true(has_file(young, "") || has_file(young, ".tail.1000"));
}

static void what_of_tus_is_spoken(void **state)
{
	struct reply reply;
	const struct test_request request = { .operation = "media_options" };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 204);
	assert_non_null(strstr(reply.headers.data, "Tus-Extension: creation,termination\r\n"));
	assert_non_null(strstr(reply.headers.data, "Tus-Max-Size: 268435456\r\n"));
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(an_upload_in_windows_is_read_in_windows),
		FACT(a_pupils_videos_go_with_the_pupils_key),
		FACT(a_video_is_readable_under_an_older_key_of_the_tenant),
		FACT(a_cut_upload_goes_on_where_it_was),
		FACT(a_part_elsewhere_is_refused),
		FACT(a_complete_upload_takes_no_more),
		FACT(an_upload_belongs_to_who_began_it),
		FACT(only_videos_are_kept),
		FACT(uploads_that_nobody_ends_are_bounded),
		FACT(what_is_used_cannot_be_deleted),
		FACT(an_unfinished_video_is_not_used),
		FACT(what_nobody_came_back_for_is_removed),
		FACT(an_archive_that_nobody_went_on_with_is_removed_after_a_week),
		FACT(what_of_tus_is_spoken),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
