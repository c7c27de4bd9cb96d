/* An archive is the same bytes whatever windows it is read in: against one that is put together
 * here from the definition alone. */
#include "libcommon/crypto.h"
#include "libcommon/db.h"
#include "libcommon/manifest.h"
#include "services/learning/export.h"
#include "services/learning/lesson_world.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MANIFEST "manabiya-archive/v2\nonly its length matters here\n"
#define MTIME 1775608200

static struct test test;
static const char *export_id;
static struct buf expected;
static size_t borders[64], borders_n; /* where something begins in it */

/* Sections that end within, at and behind the ends of blocks and chunks; one is empty. */
static const struct {
	const char *name;
	size_t size;
} SECTIONS[] = { { "data/org.jsonl", 0 }, { "data/user.jsonl", 512 }, { "data/try.jsonl", 700 },
	{ "log/log.jsonl", MEDIA_CHUNK_SIZE * 2 + 13 } };
#define SECTIONS_N (sizeof(SECTIONS) / sizeof(SECTIONS[0]))

static struct {
	const char *id;
	size_t size;
} videos[] = { { NULL, MEDIA_CHUNK_SIZE }, { NULL, 100 }, { NULL, 70000 } };
#define VIDEOS_N (sizeof(videos) / sizeof(videos[0]))

static const unsigned char *bytes_of(size_t n, unsigned seed)
{
	unsigned char *data = arena_alloc(test.arena, n + 1);
	for (size_t i = 0; i < n; i++)
		data[i] = (unsigned char)(i * 31 + i / 251 + seed);
	if (n >= 12)
		memcpy(data,
			"\0\0\0\x18"
			"ftypisom",
			12);
	return data;
}

static enum err end_call(struct call *c, enum err e)
{
	if (!e)
		return db_commit(c);
	db_rollback(c->db);
	return e;
}

/* ---- what it should be ---- */

static void expect_entry(const char *name, const void *bytes, size_t n)
{
	static const char zeroes[TAR_BLOCK];
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry = { .size = (int64_t)n };
	memcpy(entry.name, name, strlen(name));
	tar_write(&entry, MTIME, block);
	borders[borders_n++] = expected.n;
	buf_add(&expected, (const char *)block, TAR_BLOCK);
	borders[borders_n++] = expected.n;
	buf_add(&expected, bytes, n);
	borders[borders_n++] = expected.n;
	buf_add(&expected, zeroes, (size_t)tar_padded(entry.size) - n);
}

static const char *video_name(size_t i)
{
	return arena_printf(test.arena, "media/%s", videos[i].id);
}

static size_t add_line(struct buf *out, size_t size, const char *name)
{
	const size_t before = out->n;
	buf_printf(out, HASH " %zu %s\n", size, name);
	return out->n - before;
}

static struct buf expected_list(void)
{
	struct buf list = { .arena = test.arena };
	for (size_t i = 0; i < SECTIONS_N; i++)
		(void)add_line(&list, SECTIONS[i].size, SECTIONS[i].name);
	for (size_t i = 0; i < VIDEOS_N; i++)
		(void)add_line(&list, videos[i].size, video_name(i));
	buf_char(&list, '\n');
	return list;
}

static void expect_archive(const struct buf *list)
{
	static const char end[2 * TAR_BLOCK];
	expected.arena = test.arena;
	expect_entry(MANIFEST_NAME, MANIFEST, strlen(MANIFEST));
	expect_entry(MANIFEST_FILES, list->data, list->n);
	for (size_t i = 0; i < SECTIONS_N; i++)
		expect_entry(SECTIONS[i].name, bytes_of(SECTIONS[i].size, (unsigned)i),
			SECTIONS[i].size);
	for (size_t i = 0; i < VIDEOS_N; i++)
		expect_entry(
			video_name(i), bytes_of(videos[i].size, 100 + (unsigned)i), videos[i].size);
	buf_add(&expected, end, sizeof(end));
}

/* ---- what is there ---- */

static const char *upload(size_t i)
{
	const struct actor actor = person(&test, T);
	struct call c = test_call(&test, &actor);
	const struct learning_media_create_in begin = { .tus_resumable = "1.0.0",
		.upload_length = (int64_t)videos[i].size };
	struct learning_media_create_out begun = { 0 };
	assert_int_equal(end_call(&c, learning_media_create(&c, &begin, &begun)), OK);
	const char *id = begun.location + strlen("/v1/media/");
	c = test_call(&test, &actor);
	const struct learning_media_append_in in = { .media_id = id,
		.tus_resumable = "1.0.0",
		.body = { bytes_of(videos[i].size, 100 + (unsigned)i), videos[i].size } };
	struct learning_media_append_out out = { 0 };
	assert_int_equal(end_call(&c, learning_media_append(&c, &in, &out)), OK);
	return id;
}

static enum err on_key(struct call *c, void *arg, const char *const *columns, size_t n)
{
	return media_key_open(c, &media_key_kind, columns[0], arg);
}

/* The sections one behind the other, as the job writes them. */
static int64_t store_sections(void)
{
	int64_t at = 0;
	const struct actor actor = person(&test, STAFF);
	struct call c = test_call(&test, &actor);
	struct media_name name = { .tenant_id = TEST_TENANT, .media_id = export_id };
	assert_int_equal(
		db_each(&c, "SELECT " SEALED("e.id", "e.sealed_key") " FROM learning.export e",
			DB_NONE, on_key, &name.key),
		OK);
	for (size_t i = 0; i < SECTIONS_N; i++) {
		const int64_t end = at + (int64_t)SECTIONS[i].size;
		const struct media_part part = { .offset = at,
			.size = i + 1 == SECTIONS_N ? end : INT64_MAX,
			.data = { bytes_of(SECTIONS[i].size, (unsigned)i), SECTIONS[i].size } };
		if (part.data.n)
			assert_int_equal(media_store_append(&c, learning_media, &name, &part), OK);
		test_sql(&test,
			arena_printf(test.arena,
				"INSERT INTO learning.export_section (tenant_id, export_id, number,"
				" name, stored_offset, size, sha256) VALUES ('" TEST_TENANT
				"', '%s', %zu, '%s', %lld, %zu, '" HASH "')",
				export_id, i, SECTIONS[i].name, (long long)at, SECTIONS[i].size));
		at = end;
	}
	db_rollback(c.db);
	return at;
}

static int64_t list_videos(int64_t *lines)
{
	int64_t begins = 0;
	struct buf list = { .arena = test.arena };
	for (size_t i = 0; i < VIDEOS_N; i++) {
		test_sql(&test,
			arena_printf(test.arena,
				"INSERT INTO learning.export_video (tenant_id, export_id, media_id,"
				" size, begins, line_begins, sha256) VALUES ('" TEST_TENANT
				"', '%s', '%s', %zu, %lld, %zu, '" HASH "')",
				export_id, videos[i].id, videos[i].size, (long long)begins,
				list.n));
		begins += export_room((int64_t)videos[i].size);
		(void)add_line(&list, videos[i].size, video_name(i));
	}
	*lines = (int64_t)list.n;
	return begins;
}

static void make_export(void)
{
	int64_t lines;
	const struct actor actor = person(&test, STAFF);
	struct call c = test_call(&test, &actor);
	struct learning_export out = { 0 };
	assert_int_equal(end_call(&c, learning_export_create(&c, &out)), OK);
	export_id = out.id;
	for (size_t i = 0; i < VIDEOS_N; i++)
		videos[i].id = upload(i);
	const struct buf list = expected_list();
	expect_archive(&list);
	const int64_t stored = store_sections(), room = list_videos(&lines);
	test_sql(&test,
		arena_printf(test.arena,
			"UPDATE learning.export SET state = 'ready', stored_size = %lld,"
			" videos = %zu, videos_bytes = %lld, videos_lines = %lld,"
			" files_size = %zu, size = %zu, manifest = '" MANIFEST
			"', requested_at = to_timestamp(%d), expires_at = now() + interval '1 day'",
			(long long)stored, VIDEOS_N, (long long)room, (long long)lines, list.n,
			expected.n, MTIME));
}

/* ---- facts ---- */

static enum err read_window(int64_t offset, int64_t length, struct bytes *out)
{
	const struct actor actor = person(&test, STAFF);
	struct call c = test_call(&test, &actor);
	const struct learning_export_archive_in in = { .export_id = export_id };
	struct learning_export_archive_out answer = { 0 };
	c.window.offset = offset;
	c.window.length = length;
	enum err e = end_call(&c, learning_export_archive(&c, &in, &answer));
	if (!e)
		assert_int_equal(c.total_bytes, expected.n);
	*out = answer.body;
	return e;
}

static void expect_window(size_t offset, size_t length)
{
	struct bytes bytes;
	const size_t left = expected.n - offset;
	assert_int_equal(read_window((int64_t)offset, (int64_t)length, &bytes), OK);
	assert_int_equal(bytes.n, length < left ? length : left);
	assert_memory_equal(bytes.data, expected.data + offset, bytes.n);
}

static void windows_of_any_size_put_it_together(void **state)
{
	static const size_t sizes[] = { 1 << 19, MEDIA_CHUNK_SIZE, 10007 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t at = 0; at < expected.n; at += sizes[i])
			expect_window(at, sizes[i]);
}

static void a_window_may_begin_and_end_anywhere(void **state)
{
	for (size_t i = 0; i < borders_n; i++) {
		expect_window(borders[i], 1);
		expect_window(borders[i] - (borders[i] > 0), 3);
		expect_window(borders[i] / 2, borders[i] - borders[i] / 2 + 1);
	}
	expect_window(expected.n - 1, 10);
}

static void behind_the_end_there_is_nothing(void **state)
{
	struct bytes bytes;
	assert_int_equal(read_window((int64_t)expected.n, 10, &bytes), OK);
	assert_int_equal(bytes.n, 0);
}

static void what_was_deleted_since_is_missed_where_it_was(void **state)
{
	struct bytes bytes;
	test_sql(&test,
		arena_printf(
			test.arena, "DELETE FROM learning.media WHERE id = '%s'", videos[1].id));
	expect_window(0, borders[3 * (2 + SECTIONS_N)]); /* before the first video */
	assert_int_equal(
		read_window((int64_t)borders[3 * (3 + SECTIONS_N) + 1], 1, &bytes), ERR_NOT_FOUND);
}

static int open_world(void **state)
{
	test_open(&test, &learning_under_test);
	add_people(&test);
	learning_media = media_store_open(test_directory(&test));
	assert_non_null(learning_media);
	make_export();
	return 0;
}

static int close_world(void **state)
{
	media_store_close(learning_media);
	test_close(&test);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_of_any_size_put_it_together),
		cmocka_unit_test(a_window_may_begin_and_end_anywhere),
		cmocka_unit_test(behind_the_end_there_is_nothing),
		cmocka_unit_test(what_was_deleted_since_is_missed_where_it_was),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
