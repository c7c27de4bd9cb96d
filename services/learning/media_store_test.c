/* The media store on a real directory: crashes are made by doing a part and not acknowledging it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* call.h has its own */

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/call.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"
#include "services/learning/media_folder.h"
#include "services/learning/media_store.h"

#define SEALED (MEDIA_CHUNK_SIZE + SEAL_OVERHEAD)
#define MARK "a plain text that must not be seen"

static const char TENANT[] = "0198c0de-0000-7000-8000-00000000000a";
static const char OTHER_TENANT[] = "0198c0de-0000-7000-8000-00000000000b";
static const char KEYLESS[] = "0198c0de-0000-7000-8000-00000000000c";

static char root[] = "/tmp/media-store-XXXXXX";
static struct media_store *store;
static struct call call;
static struct call *const c = &call;
static uint64_t seed = 20260408; /* the same run every time */

static size_t pick(size_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % n;
}

/* ---- a video to work with ---- */

struct clip {
	struct media_name name;
	unsigned char *data;
	int64_t size;
	int64_t acknowledged;
};

static const unsigned char *new_key(void)
{
	unsigned char *key = arena_alloc(c->arena, KEY_SIZE);
	crypto_random(key, KEY_SIZE);
	return key;
}

static struct clip clip_of(const char *tenant_id, size_t size)
{
	struct clip clip = { { tenant_id, uuid_make(c->arena), new_key() },
		arena_alloc(c->arena, size), (int64_t)size, 0 };
	for (size_t i = 0; i < size; i++)
		clip.data[i] = (unsigned char)pick(256);
	assert_int_equal(media_store_create(c, store, &clip.name), OK);
	return clip;
}

static enum err put(const struct clip *clip, const unsigned char *data, size_t n)
{
	const struct media_part part = { clip->acknowledged, clip->size, { data, n } };
	return media_store_append(c, store, &clip->name, &part);
}

static void append(struct clip *clip, size_t n)
{
	int64_t left = clip->size - clip->acknowledged;
	if ((int64_t)n > left)
		n = (size_t)left;
	assert_int_equal(put(clip, clip->data + clip->acknowledged, n), OK);
	clip->acknowledged += (int64_t)n;
}

static struct clip whole_clip(const char *tenant_id, size_t size)
{
	struct clip clip = clip_of(tenant_id, size);
	append(&clip, size);
	return clip;
}

static enum err get(const struct clip *clip, int64_t offset, int64_t length, struct bytes *out)
{
	const struct media_range range = { clip->size, offset, length };
	return media_store_read(c, store, &clip->name, &range, out);
}

static void expect_readable(const struct clip *clip, int64_t offset, int64_t length)
{
	struct bytes got = { NULL, 0 };
	int64_t left = clip->size - offset;
	assert_int_equal(get(clip, offset, length, &got), OK);
	assert_int_equal(got.n, length < left ? length : left);
	assert_memory_equal(got.data, clip->data + offset, got.n);
}

static void expect_refused(const struct clip *clip, int64_t offset, const char *why)
{
	struct bytes got = { NULL, 0 };
	assert_int_equal(get(clip, offset, 1, &got), ERR_INTERNAL);
	assert_non_null(strstr(c->failure.detail, why));
}

static const char *path_of(const struct clip *clip)
{
	return arena_printf(c->arena, "%s/media/%s/%s/%s", root, clip->name.tenant_id,
		clip->name.media_id + 34, clip->name.media_id);
}

static const char *tail_of(const struct clip *clip, int64_t offset)
{
	return arena_printf(c->arena, "%s.tail.%" PRId64, path_of(clip), offset);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

static void flip(const char *path, int64_t at)
{
	unsigned char byte;
	int fd = open_file(path);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void cut(const char *path, int64_t size)
{
	assert_int_equal(truncate(path, size), 0);
}

static void exchange(const char *one, const char *other, int64_t one_at, int64_t other_at, size_t n)
{
	unsigned char *a = arena_alloc(c->arena, n), *b = arena_alloc(c->arena, n);
	int first = open_file(one), second = open_file(other);
	assert_int_equal(pread(first, a, n, one_at), n);
	assert_int_equal(pread(second, b, n, other_at), n);
	assert_int_equal(pwrite(first, b, n, one_at), n);
	assert_int_equal(pwrite(second, a, n, other_at), n);
	close(first);
	close(second);
}

/* ---- facts ---- */

static void any_parts_and_any_ranges_give_the_bytes_back(void **state)
{
	static const size_t sizes[] = { 1, 63, MEDIA_CHUNK_SIZE - 1, MEDIA_CHUNK_SIZE,
		MEDIA_CHUNK_SIZE + 1, 2 * MEDIA_CHUNK_SIZE, 5 * MEDIA_CHUNK_SIZE + 12345 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct clip clip = clip_of(TENANT, sizes[i]);
		while (clip.acknowledged < clip.size)
			append(&clip, 1 + pick(100000));
		expect_readable(&clip, 0, clip.size);
		expect_readable(&clip, clip.size - 1, 10);
		for (int n = 0; n < 20; n++)
			expect_readable(&clip, (int64_t)pick(sizes[i]), 1 + (int64_t)pick(150000));
	}
}

static void a_part_of_no_bytes_changes_nothing(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	append(&clip, 0);
	append(&clip, 400);
	append(&clip, 0);
	append(&clip, 600);
	expect_readable(&clip, 0, 1000);
}

/* What a writer leaves that died before the commit: other bytes, any of its files cut anywhere. */
static void crash(const struct clip *clip)
{
	size_t left = (size_t)(clip->size - clip->acknowledged), n = 1 + pick(left);
	unsigned char *other = arena_alloc(c->arena, n);
	struct stat status;
	assert_int_equal(stat(path_of(clip), &status), 0);
	int64_t whole = clip->acknowledged / MEDIA_CHUNK_SIZE * SEALED;
	assert_int_equal(put(clip, other, n), OK);
	assert_int_equal(stat(path_of(clip), &status), 0);
	if (pick(2) && status.st_size > whole)
		cut(path_of(clip), whole + (int64_t)pick((size_t)(status.st_size - whole)));
	const char *tail = tail_of(clip, clip->acknowledged + (int64_t)n);
	if (pick(2) && stat(tail, &status) == 0)
		cut(tail, (int64_t)pick((size_t)status.st_size));
}

static void nothing_acknowledged_is_lost_in_crashes(void **state)
{
	for (int round = 0; round < 40; round++) {
		struct clip clip = clip_of(TENANT, 1 + pick(4 * MEDIA_CHUNK_SIZE));
		while (clip.acknowledged < clip.size) {
			for (size_t crashes = pick(3); crashes > 0; crashes--)
				crash(&clip);
			append(&clip, 1 + pick(120000));
		}
		expect_readable(&clip, 0, clip.size);
		arena_reset(c->arena);
	}
}

static void the_beginning_of_an_upload_can_be_looked_at(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	struct bytes head;
	append(&clip, 40);
	assert_int_equal(media_store_head(c, store, &clip.name, 40, &head), OK);
	assert_int_equal(head.n, 40);
	assert_memory_equal(head.data, clip.data, 40);
}

static void a_changed_or_missing_tail_is_refused(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	append(&clip, 400);
	flip(tail_of(&clip, 400), 100);
	assert_int_equal(put(&clip, clip.data + 400, 600), ERR_INTERNAL);
	flip(tail_of(&clip, 400), 100);
	assert_int_equal(unlink(tail_of(&clip, 400)), 0);
	assert_int_equal(put(&clip, clip.data + 400, 600), ERR_INTERNAL);
	assert_non_null(strstr(c->failure.detail, "missing"));
}

static void a_tail_of_another_offset_is_refused(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	append(&clip, 400);
	assert_int_equal(rename(tail_of(&clip, 400), tail_of(&clip, 401)), 0);
	clip.acknowledged = 401;
	assert_int_equal(put(&clip, clip.data + 401, 599), ERR_INTERNAL);
}

static void a_changed_bit_is_refused(void **state)
{
	struct clip clip = whole_clip(TENANT, 2 * MEDIA_CHUNK_SIZE + 100);
	static const int64_t places[] = { 0, 23, 24, 40000, SEALED - 1, SEALED, 2 * SEALED + 139 };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		flip(path_of(&clip), places[i]);
		expect_refused(&clip, places[i] / SEALED * MEDIA_CHUNK_SIZE, "was changed");
		flip(path_of(&clip), places[i]);
	}
	expect_readable(&clip, 0, clip.size);
}

static void a_file_cut_or_made_longer_is_refused(void **state)
{
	struct clip clip = whole_clip(TENANT, 2 * MEDIA_CHUNK_SIZE + 100);
	cut(path_of(&clip), 2 * SEALED + 140 + 1);
	expect_refused(&clip, 0, "cut or made longer");
	cut(path_of(&clip), 2 * SEALED);
	expect_refused(&clip, 0, "cut or made longer");
	/* Even where the row was changed to fit. */
	clip.size = 2 * MEDIA_CHUNK_SIZE;
	expect_readable(&clip, 0, 10);
	expect_refused(&clip, MEDIA_CHUNK_SIZE, "was changed");
}

static void an_earlier_end_cannot_pose_as_the_last_chunk(void **state)
{
	struct clip clip = whole_clip(TENANT, MEDIA_CHUNK_SIZE);
	struct clip longer = clip;
	longer.size = 2 * MEDIA_CHUNK_SIZE;
	cut(path_of(&clip), 2 * SEALED);
	expect_refused(&longer, 0, "was changed");
}

static void chunks_in_another_order_are_refused(void **state)
{
	struct clip clip = whole_clip(TENANT, 3 * MEDIA_CHUNK_SIZE);
	exchange(path_of(&clip), path_of(&clip), 0, SEALED, SEALED);
	expect_refused(&clip, 0, "moved");
	expect_refused(&clip, MEDIA_CHUNK_SIZE, "moved");
	expect_readable(&clip, 2 * MEDIA_CHUNK_SIZE, 100);
}

static void chunks_of_another_video_are_refused(void **state)
{
	struct clip one = whole_clip(TENANT, 3 * MEDIA_CHUNK_SIZE);
	struct clip other = whole_clip(TENANT, 3 * MEDIA_CHUNK_SIZE);
	exchange(path_of(&one), path_of(&other), SEALED, SEALED, SEALED);
	expect_refused(&one, MEDIA_CHUNK_SIZE, "another video");
	expect_refused(&other, MEDIA_CHUNK_SIZE, "another video");
}

static void a_video_of_another_tenant_is_refused(void **state)
{
	struct clip one = whole_clip(TENANT, 5000);
	struct clip other = one;
	other.name.tenant_id = OTHER_TENANT;
	assert_int_equal(media_store_create(c, store, &other.name), OK);
	assert_int_equal(rename(path_of(&one), path_of(&other)), 0);
	expect_refused(&other, 0, "another video");
	expect_refused(&one, 0, "missing");
}

/* Two videos never share a key; if they did, the names in the seals would still tell them apart. */
static void another_key_or_name_opens_nothing(void **state)
{
	struct clip clip = whole_clip(TENANT, 5000), copy = clip;
	copy.name.key = new_key();
	expect_refused(&copy, 0, "was changed");
	struct clip other = clip;
	other.name.media_id = uuid_make(c->arena);
	assert_int_equal(media_store_create(c, store, &other.name), OK);
	assert_int_equal(rename(path_of(&clip), path_of(&other)), 0);
	expect_refused(&other, 0, "another video");
}

static unsigned char *read_sealed(const char *path, size_t n)
{
	unsigned char *sealed = arena_alloc(c->arena, n + 1);
	int fd = open_file(path);
	assert_int_equal(read(fd, sealed, n + 1), n);
	close(fd);
	return sealed;
}

static void expect_sealed(const struct clip *clip, const unsigned char *sealed, size_t n,
	const char *slot, const unsigned char *wanted)
{
	unsigned char id[KEY_SIZE], *plain = arena_alloc(c->arena, n);
	crypto_derive(clip->name.key, "media key id", id);
	const char *place = arena_printf(c->arena, "manabiya media 1 %s %s %s %s", TENANT,
		clip->name.media_id, crypto_hex(c->arena, id, KEY_SIZE), slot);
	assert_int_equal(crypto_open(clip->name.key,
				 (struct bytes){ (const unsigned char *)place, strlen(place) },
				 sealed, n, plain),
		OK);
	assert_memory_equal(plain, wanted, n - SEAL_OVERHEAD);
}

/* What a release has written the next one must open, and whoever has to do without ours. */
static void what_lies_on_the_disk_is_the_format_that_is_written_down(void **state)
{
	enum { MORE = 1000 };
	struct clip clip = clip_of(TENANT, 2 * MEDIA_CHUNK_SIZE + MORE);
	append(&clip, MEDIA_CHUNK_SIZE + MORE);
	expect_sealed(&clip, read_sealed(tail_of(&clip, clip.acknowledged), MORE + SEAL_OVERHEAD),
		MORE + SEAL_OVERHEAD, "tail 1 66536", clip.data + MEDIA_CHUNK_SIZE);
	append(&clip, MEDIA_CHUNK_SIZE);
	const unsigned char *sealed =
		read_sealed(path_of(&clip), 2 * SEALED + MORE + SEAL_OVERHEAD);
	expect_sealed(&clip, sealed, SEALED, "chunk 0 0", clip.data);
	expect_sealed(&clip, sealed + SEALED, SEALED, "chunk 1 0", clip.data + MEDIA_CHUNK_SIZE);
	expect_sealed(&clip, sealed + 2 * SEALED, MORE + SEAL_OVERHEAD, "last 2 132072",
		clip.data + 2 * MEDIA_CHUNK_SIZE);
}

static bool holds_mark(const char *path)
{
	char text[8192] = { 0 };
	int fd = open_file(path);
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	assert_true(n > 0);
	return memmem(text, (size_t)n, MARK, strlen(MARK)) != NULL;
}

static void nothing_plain_reaches_the_disk(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	memcpy(clip.data, MARK, strlen(MARK));
	append(&clip, 400);
	assert_false(holds_mark(tail_of(&clip, 400)));
	append(&clip, 600);
	assert_false(holds_mark(path_of(&clip)));
}

static void one_writer_at_a_time(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	{
		auto_media_lock lock = -1, second = -1;
		assert_int_equal(media_store_lock(c, store, &clip.name, &lock), OK);
		assert_int_equal(media_store_lock(c, store, &clip.name, &second), ERR_CONFLICT);
	}
	auto_media_lock lock = -1;
	assert_int_equal(media_store_lock(c, store, &clip.name, &lock), OK);
}

static void removing_takes_the_tails_and_may_be_repeated(void **state)
{
	struct clip clip = clip_of(TENANT, 1000);
	append(&clip, 400);
	assert_int_equal(media_store_remove(c, store, &clip.name), OK);
	assert_int_equal(access(path_of(&clip), F_OK), -1);
	assert_int_equal(access(tail_of(&clip, 400), F_OK), -1);
	assert_int_equal(media_store_remove(c, store, &clip.name), OK);
}

static const char *kept_id;

static enum err keep_one(struct call *call_, const struct media_file *files, size_t n, bool *wanted)
{
	for (size_t i = 0; i < n; i++)
		wanted[i] = strcmp(files[i].media_id, kept_id) == 0 && files[i].tail_offset < 0;
	return OK;
}

static void the_sweep_removes_old_files_that_are_not_wanted(void **state)
{
	struct clip kept = clip_of(OTHER_TENANT, 1000), gone = clip_of(OTHER_TENANT, 1000);
	append(&kept, 300);
	kept_id = kept.name.media_id;
	assert_int_equal(
		media_folder_sweep(c, media_store_directory(store), OTHER_TENANT, 1000, keep_one),
		OK);
	assert_int_equal(access(path_of(&gone), F_OK), 0);
	assert_int_equal(media_folder_sweep(c, media_store_directory(store), OTHER_TENANT,
				 INT32_MAX, keep_one),
		OK);
	assert_int_equal(access(path_of(&kept), F_OK), 0);
	assert_int_equal(access(tail_of(&kept, 300), F_OK), -1);
	assert_int_equal(access(path_of(&gone), F_OK), -1);
}

static void tenants_are_walked_in_order(void **state)
{
	const char *tenant = "";
	(void)whole_clip(TENANT, 10);
	(void)whole_clip(OTHER_TENANT, 10);
	assert_int_equal(
		media_folder_next_tenant(c, media_store_directory(store), tenant, &tenant), OK);
	assert_string_equal(tenant, TENANT);
	assert_int_equal(
		media_folder_next_tenant(c, media_store_directory(store), tenant, &tenant), OK);
	assert_string_equal(tenant, OTHER_TENANT);
	assert_int_equal(
		media_folder_next_tenant(c, media_store_directory(store), KEYLESS, &tenant), OK);
	assert_null(tenant);
}

/* ---- the directory ---- */

static int set_up(void **state)
{
	char path[64];
	crypto_start();
	log_open("learning", LOG_LEVEL_ERROR);
	call = (struct call){ .arena = arena_new() };
	assert_non_null(mkdtemp(root));
	(void)snprintf(path, sizeof(path), "%s/media", root);
	assert_int_equal(mkdir(path, 0700), 0);
	store = NULL;
	store = media_store_open(path);
	assert_non_null(store);
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	return remove(path);
}

static int tear_down(void **state)
{
	media_store_close(store);
	arena_free(c->arena);
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_parts_and_any_ranges_give_the_bytes_back),
		cmocka_unit_test(a_part_of_no_bytes_changes_nothing),
		cmocka_unit_test(nothing_acknowledged_is_lost_in_crashes),
		cmocka_unit_test(the_beginning_of_an_upload_can_be_looked_at),
		cmocka_unit_test(a_changed_or_missing_tail_is_refused),
		cmocka_unit_test(a_tail_of_another_offset_is_refused),
		cmocka_unit_test(a_changed_bit_is_refused),
		cmocka_unit_test(a_file_cut_or_made_longer_is_refused),
		cmocka_unit_test(an_earlier_end_cannot_pose_as_the_last_chunk),
		cmocka_unit_test(chunks_in_another_order_are_refused),
		cmocka_unit_test(chunks_of_another_video_are_refused),
		cmocka_unit_test(a_video_of_another_tenant_is_refused),
		cmocka_unit_test(another_key_or_name_opens_nothing),
		cmocka_unit_test(what_lies_on_the_disk_is_the_format_that_is_written_down),
		cmocka_unit_test(nothing_plain_reaches_the_disk),
		cmocka_unit_test(one_writer_at_a_time),
		cmocka_unit_test(removing_takes_the_tails_and_may_be_repeated),
		cmocka_unit_test(the_sweep_removes_old_files_that_are_not_wanted),
		cmocka_unit_test(tenants_are_walked_in_order),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
