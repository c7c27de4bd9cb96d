/*
 * Exports: everything of a tenant as one archive, made by a job and fetched in ranges.
 *
 * The archive is virtual. What is not a video is written once into a file of its own (the media
 * store's, sealed); videos stay where they are and are read when their bytes are asked for. In this
 * order, each as an entry of a tar (libcommon/tar.h):
 *
 *   manifest         a signed note (libcommon/manifest.h): whose it is, and the hash of `files`
 *   files            one line for each entry that follows: SHA-256, size, name
 *   data/…           one file for each type, a JSON object a line (libcommon/archive.h)
 *   oneroster/…      rosters for other systems
 *   log/…            the audit log with its proof
 *   media/<id>       videos as they were uploaded
 *
 * `manifest` lies in the export's row, `files` is made from the rows of sections and videos.
 */
#ifndef MANABIYA_EXPORT_H
#define MANABIYA_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/call.h"
#include "libcommon/tar.h"

/* For how long an archive can be fetched; set at start. */
extern int64_t export_keep_days;

/* One step of one export, or the end of one whose time is over. A job (service.h). */
must_check enum err export_run(struct call *c, bool *more);

/* Nobody may fetch any more what is of somebody who was erased, and what was deleted is not there
 * to be read: the tenant's exports end, their files go. */
must_check enum err export_invalidate(struct call *c);

/* ---- sections: what is written into the export's file ---- */

#define EXPORT_SECTIONS 26

/* A video that the archive refers to. */
struct export_video {
	const char *id;
	int64_t size;
};

/* What a section goes on with. */
struct export_part {
	const char *requested_at; /* the export was */
	int year; /* of school, then */
	const char *place; /* where it goes on; NULL: at its beginning, or all is read */
	const char *carry; /* at the end: what the next section begins at, or NULL */
	struct buf text;
	struct export_video *videos;
	size_t videos_n;
};

/* Read on; appends to the part. `number` is the section's place in the archive. */
must_check enum err export_section_read(struct call *c, int number, struct export_part *part);
const char *export_section_name(int number);

/* Which section the job writes as its n-th: what refers to something is read before what it refers
 * to, so that nothing that is written while the job runs can be missing; the log comes last, as it
 * is never empty. */
int export_section_at(int64_t step);

/* ---- the layout ---- */

#define EXPORT_END ((int64_t)2 * TAR_BLOCK) /* zeroes behind the last entry */

/* What an entry of so many bytes takes in the archive. */
static inline int64_t export_room(int64_t size)
{
	return TAR_BLOCK + tar_padded(size);
}

/* The line of an entry in `files`; without a hash, its length is the same. */
#define EXPORT_NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"
const char *export_line(struct call *c, const char *sha256, int64_t size, const char *name);
const char *export_video_name(struct call *c, const char *media_id);

#endif
