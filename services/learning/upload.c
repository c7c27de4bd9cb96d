/* What uploads have in common; see upload.h. */
#include "services/learning/upload.h"

#include <stdlib.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "services/learning/learning.h"

static const struct problem offset_mismatch = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "offset_mismatch",
	.ja = "送信の続きの位置が合いません。",
	.en = "The upload does not continue there.",
};

static const struct problem upload_complete = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "upload_complete",
	.ja = "このファイルの送信は終わっています。",
	.en = "The upload is complete.",
};

static const struct problem upload_busy = {
	.err = ERR_CONFLICT,
	.status = 423,
	.code = "upload_busy",
	.ja = "このファイルはほかの通信で送信中です。",
	.en = "Another request is writing this upload.",
};

static const struct problem too_long = {
	.err = ERR_INVALID,
	.status = 413,
	.code = "upload_too_long",
	.ja = "はじめに知らせた大きさを超えています。",
	.en = "There are more bytes than Upload-Length said.",
};

static enum err on_upload(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct upload *)arg = (struct upload){
		.size = strtoll(columns[0], NULL, 10),
		.received = strtoll(columns[1], NULL, 10),
		.content_type = columns[2] ? arena_strdup(c->arena, columns[2]) : NULL,
		.sealed_key = arena_strdup(c->arena, columns[3]),
		.owner_id = n > 4 && columns[4] ? arena_strdup(c->arena, columns[4]) : NULL,
		.is_found = true,
	};
	return OK;
}

enum err upload_find(struct call *c, const char *sql, struct db_args args, struct upload *upload)
{
	enum err e = db_each(c, sql, args, on_upload, upload);
	if (e)
		return e;
	return upload->is_found ? OK : fail(c, ERR_NOT_FOUND, "upload");
}

enum err upload_lock(struct call *c, const struct upload_rows *rows, const struct media_name *name,
	int *lock, struct upload *upload)
{
	const struct db_args args = DB_ARGS(name->media_id, c->actor->user_id);
	enum err e = upload_find(c, rows->get, args, upload);
	if (e)
		return e;
	e = media_store_lock(c, learning_media, name, lock);
	if (e == ERR_CONFLICT)
		return fail_with(c, &upload_busy, "locked");
	return e ? e : upload_find(c, rows->lock, args, upload);
}

enum err upload_check(struct call *c, const struct upload *upload, const struct media_part *part)
{
	if (upload->received == upload->size)
		return fail_with(
			c, &upload_complete, "all %lld bytes are here", (long long)upload->size);
	if (part->offset != upload->received)
		return fail_with(c, &offset_mismatch, "at %lld, not %lld",
			(long long)upload->received, (long long)part->offset);
	if ((int64_t)part->data.n > upload->size - upload->received)
		return fail_with(
			c, &too_long, "%lld bytes were announced", (long long)upload->size);
	return OK;
}
