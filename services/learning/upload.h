/*
 * What uploads by tus have in common: videos (media.c) and archives (import.c). Each has its table;
 * the bytes of both lie in the media store.
 */
#ifndef MANABIYA_UPLOAD_H
#define MANABIYA_UPLOAD_H

#include "libcommon/db.h"
#include "services/learning/media_store.h"

#define TUS "1.0.0"

struct upload {
	int64_t size, received;
	const char *content_type; /* of a video: NULL until enough has come to know it */
	const char *sealed_key; /* as SEALED() gives it */
	const char *owner_id; /* of a video that is seen: the pupil who made it; NULL: none */
	bool is_found;
};

/* What the statement finds, in columns of that order, of which the last may be missing; NOT_FOUND
 * without a row. */
must_check enum err upload_find(
	struct call *c, const char *sql, struct db_args args, struct upload *upload);

/* Statements that find an upload by its id and the actor's, without and with FOR UPDATE. */
struct upload_rows {
	const char *get, *lock;
};

/* The file's lock (media_store_lock()) before the row's; 423 when another has it. */
must_check enum err upload_lock(struct call *c, const struct upload_rows *rows,
	const struct media_name *name, int *lock, struct upload *upload);

/* 409 or 413 unless the part is what comes next. */
must_check enum err upload_check(
	struct call *c, const struct upload *upload, const struct media_part *part);

#endif
