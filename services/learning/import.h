/*
 * Taking in an archive of another installation. import.c has the operations of the administrator
 * who sends it; a job does the rest, step by step, each step a transaction of its own that says in
 * the row how far it came, so that whoever goes on after a crash goes on there:
 *
 *     structure   every entry in its place, of the size and the hash that the manifest says
 *     lines       every line by its shape, what it refers to, and what it clashes with here
 *
 * and when the administrator has read what they found:
 *
 *     reserve     the roster is held, and every line looked at for clashes once more
 *     write       the lines to the services that own them; then the roster is let go
 *     videos      into the store
 *     remove      the archive itself
 *
 * Nothing is written before the first three have found nothing. What clashes are names, and those
 * are the roster's: between the last look and the last line nobody else changes it.
 */
#ifndef MANABIYA_IMPORT_H
#define MANABIYA_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/arrival.h"
#include "libcommon/tar.h"
#include "services/learning/media_store.h"

struct import {
	const char *id, *state, *step;
	const char *verifier; /* NULL: the signature is not checked */
	int64_t size;
	int64_t entry; /* where the header of the entry in hand begins */
	int64_t position; /* of the next byte of it, from the beginning of the archive */
	int64_t line; /* lines of it that are done */
	int64_t manifest_line; /* where the manifest's line of it begins */
	int64_t faults;
	struct media_name name;
};

/* How much one step does: some tenths of a second. */
#define IMPORT_STEP_BYTES (4 * 1024 * 1024)
#define IMPORT_STEP_ENTRIES 200

/* ---- import.c ---- */

extern const struct personal_kind import_key_kind; /* column archive_import.sealed_key */

/* Remove what nobody came back for, in the entered tenant; the files go with the sweep. */
must_check enum err import_clean(struct call *c);

/* A pupil was erased at `time`: archives from before it that lie here and are not being written may
 * tell of that pupil. One that was begun since is not meant: its sender knew. */
must_check enum err import_forget(struct call *c, const char *time);

/* Nobody else changes the roster from now on, or everybody may again. Both may be said twice. */
must_check enum err import_hold(struct call *c, const char *import_id, bool held);

/* ---- import_job.c ---- */

/* A job (service.h). */
must_check enum err import_run(struct call *c, bool *more);

/* Note what is wrong; `line` 0: the entry as a whole. Only the first are kept, all are counted. */
struct import_place {
	const char *entry;
	int64_t line;
	const char *pointer; /* "" for none */
};
must_check enum err import_refuse(struct call *c, struct import *import,
	const struct import_place *place, const struct arrival_reason *reason);

/* ---- import_archive.c: reading ---- */

/* Bytes of the archive, fewer at its end. */
must_check enum err import_bytes(struct call *c, const struct import *import, int64_t offset,
	int64_t length, struct bytes *out);

/* What kind of entry has this name. */
enum import_kind { IMPORT_UNKNOWN, IMPORT_DATA, IMPORT_OTHER, IMPORT_MEDIA };
struct import_name {
	enum import_kind kind;
	unsigned rank; /* entries come by ascending rank; those of data/ have one each */
	const char *type; /* of data/<type>.jsonl */
	const char *media_id; /* of media/<id> */
};
struct import_name import_name_of(struct arena *arena, const char *name);

/* The entry in hand. TAR_DAMAGED also where the archive ends before its time. */
must_check enum err import_header(
	struct call *c, const struct import *import, enum tar_block *block, struct tar_entry *out);

/* Go to the next entry. */
void import_next(struct import *import, const struct tar_entry *entry);

/* ---- the steps: part of one, with its end in import->step or ->state ---- */

must_check enum err import_structure(struct call *c, struct import *import);
must_check enum err import_lines(struct call *c, struct import *import); /* all but the first */

/* The video of the entry in hand into the store (import_media.c). */
must_check enum err import_media(
	struct call *c, struct import *import, const struct tar_entry *entry, const char *media_id);

#endif
