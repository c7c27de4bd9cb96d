/*
 * manabiya-verify: checks what an audit log says about itself, with nothing but its public key.
 *
 * Each command reads files, compares, and ends with one finding. What is printed is for people, in
 * Japanese and English; the exit status and the word in capitals are for scripts.
 */
#ifndef MANABIYA_VERIFY_H
#define MANABIYA_VERIFY_H

#include <stdio.h>

#include "libcommon/log_table.h"
#include "libcommon/note.h"

enum finding {
	GOOD,
	UNSIGNED, /* not signed by the keys that were given */
	OTHER_LOG, /* of another log than the one it is compared with */
	UNWITNESSED, /* lacks the signature of a witness that was asked for */
	NOT_IN_LOG, /* the event is not where the proof says */
	/* Lines of a log, files of an archive: */
	CHANGED, /* one differs from what was signed */
	DROPPED, /* some are missing in the middle */
	REORDERED, /* some stand twice or in another order */
	TRUNCATED, /* some are missing at the end */
	SURPLUS, /* some are not covered by the proof */
	FORKED, /* an earlier checkpoint is not the beginning of this one */
	ROLLED_BACK, /* smaller than an earlier checkpoint */
	MALFORMED, /* a file is not what it should be */
	UNREADABLE, /* a file cannot be read */
	FINDINGS,
};

/* Say it; `detail` is a place or a reason, or "". Returns the exit status. */
int finding_say(enum finding finding, const char *detail);
void finding_list(void); /* for --help */

/* What the command line says. */
#define VERIFIERS_MAX 8
struct request {
	struct arena *arena;
	struct note_verifier keys[VERIFIERS_MAX], witnesses[VERIFIERS_MAX];
	size_t keys_n, witnesses_n;
	const char *proof; /* path */
	const char *since; /* path of an earlier checkpoint, NULL without */
	const char *file; /* what is checked */
	char detail[256]; /* of the finding */
};

/* The file as text in the arena; NULL if it cannot be read or is larger than anything that is read
 * whole. */
const char *input_text(struct request *request, const char *path);

/* Commands: check request->file. */
enum finding check_checkpoint(struct request *request);
enum finding check_consistency(struct request *request);
enum finding check_event(struct request *request);
enum finding check_export(struct request *request);

enum finding check_certificate(struct request *request);

/* The line is in the log, as the text of a tlog-proof says; `path` is where that came from. */
enum finding check_line(
	struct request *request, struct bytes line, const char *proof, const char *path);

enum finding check_download(struct request *request);
enum finding check_archive(struct request *request);

/* A run of the log: its lines are those from `first` to before `end`. */
struct range {
	uint64_t first, end;
	struct merkle_proof proof;
	struct checkpoint checkpoint, since; /* since.size is 0 without */
	struct merkle_peaks peaks;
	size_t used; /* hashes of the proof */
	bool has_forked; /* the lines up to `since` are not those that it signed */
};
/* From the text of a proof, signed as the request demands; `path` is where it came from. */
enum finding read_range(
	struct request *request, const char *text, const char *path, struct range *range);
/* Its lines one after the other: peaks and used are made here, each line must be the next one, and
 * at the end the root must come out. GOOD without a word until then. */
enum finding range_begin(struct request *request, struct range *range);
enum finding range_take(struct request *request, struct range *range, const char *line, size_t n);
enum finding range_end(struct request *request, struct range *range);
/* All that with the rest of the file, which is lines. */
enum finding check_lines(struct request *request, struct range *range, FILE *file);

/* ---- tables (table.c) ---- */

#define DOWNLOAD_HEAD "manabiya-log-download@v1\n"
#define TO_THE_END (-1)

/* Whether what comes is a table: lines and downloads begin otherwise. */
bool is_table(FILE *file);
/* The file, whose rows end at the byte `until`, against what the range says of itself. */
enum finding check_table(struct request *request, struct range *range, FILE *file, int64_t until);
/* Each row of what a search has found by itself, against the checkpoint. */
enum finding check_found_table(
	struct request *request, const struct checkpoint *checkpoint, FILE *file, int64_t until);
/* The head of a download that the last row has, in the arena, and where that row begins; the file
 * is at its beginning then. */
enum finding table_proof(struct request *request, FILE *file, const char **head, int64_t *until);

/* Rows of so many cells (rows.c), at most LOG_FOUND_COLUMNS, which stay until the next one. */
enum row { ROW_WHOLE, ROW_NONE, ROW_CUT, ROW_BROKEN };
struct rows;
struct rows *rows_open(FILE *file, size_t columns); /* which stays the caller's */
void rows_close(struct rows *rows);
enum row rows_next(struct rows *rows, const char *const **cells);

/* A checkpoint, signed as the request demands. */
enum finding read_signed(
	struct request *request, const char *text, const char *path, struct checkpoint *out);

/* Remember the earlier checkpoint of --since, and that `now` is no smaller and of the same log. */
enum finding read_since(
	struct request *request, const struct checkpoint *now, struct checkpoint *out);

/* Note where or why, and return the finding. */
enum finding found(struct request *request, enum finding finding, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
