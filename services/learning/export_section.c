/*
 * What is written into an export's file, section by section: read from whoever owns it, a page at a
 * time, so that no call is long.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_proto.h"
#include "learning_proto.h"
#include "libcommon/arena.h"
#include "notification_proto.h"
#include "provisioning_proto.h"
#include "services/learning/archive.h"
#include "services/learning/export.h"
#include "services/learning/oneroster.h"

#define LINES_MAX 200 /* of a page, as the contract has it */

struct section;
typedef enum err section_reader(
	struct call *c, const struct section *section, struct export_part *part);

struct section {
	const char *name; /* in the archive */
	const char *type; /* of archive_read, or which file */
	section_reader *read;
};

/* ---- types ---- */

static void add_lines(struct export_part *part, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(&part->text, "%s\n", lines[i]);
}

static enum err read_lesson(struct call *c, const struct section *section, struct export_part *part)
{
	struct archived_lines lines;
	const struct archived_type *type =
		archived_type_find(learning_archived, LEARNING_ARCHIVED_N, section->type);
	enum err e = archive_lines(c, type, part->place, LINES_MAX, &lines);
	if (e)
		return e;
	add_lines(part, lines.items, lines.n);
	part->place = lines.next_cursor;
	return OK;
}

/* Which videos come along is said by the lines themselves, so that neither knows more. */
static enum err read_media(struct call *c, const struct section *section, struct export_part *part)
{
	size_t before = part->text.n;
	enum err e = read_lesson(c, section, part);
	struct export_video *videos =
		arena_array(c->arena, part->videos_n + LINES_MAX, sizeof(*videos));
	if (e || part->text.n == before)
		return e;
	if (part->videos_n)
		memcpy(videos, part->videos, part->videos_n * sizeof(*videos));
	part->videos = videos;
	for (const char *line = part->text.data + before; *line && !e;) {
		size_t n = strcspn(line, "\n");
		struct learning_archived_media media = { 0 };
		e = shape_read_json(c, &learning_archived_media_shape, line, n, &media);
		videos[part->videos_n++] = (struct export_video){ media.id, media.size };
		line += n + 1;
	}
	return e;
}

static enum err ask_provisioning(
	struct call *c, const char *type, const char *cursor, struct common_archive_page *page)
{
	const struct provisioning_archive_read_in in = {
		.type = type, .cursor = cursor, .max = LINES_MAX
	};
	return provisioning_archive_read_call(c, &in, page);
}

static enum err read_roster(struct call *c, const struct section *section, struct export_part *part)
{
	struct common_archive_page page = { 0 };
	enum err e = ask_provisioning(c, section->type, part->place, &page);
	if (e)
		return e;
	add_lines(part, page.lines.items, page.lines.n);
	part->place = page.next_cursor;
	return OK;
}

static enum err read_announcements(
	struct call *c, const struct section *section, struct export_part *part)
{
	struct common_archive_page page = { 0 };
	const struct notification_archive_read_in in = {
		.type = section->type, .cursor = part->place, .max = LINES_MAX
	};
	enum err e = notification_archive_read_call(c, &in, &page);
	if (e)
		return e;
	add_lines(part, page.lines.items, page.lines.n);
	part->place = page.next_cursor;
	return OK;
}

/* ---- OneRoster ---- */

static enum err read_csv(struct call *c, const struct section *section, struct export_part *part)
{
	struct common_archive_page page = { 0 };
	const struct oneroster_file *file = oneroster_find(section->type);
	if (!part->place)
		buf_text(&part->text, file->header);
	enum err e = file->type ? ask_provisioning(c, file->type, part->place, &page) : OK;
	if (!file->type && file->row)
		e = file->row(c, part->year, NULL, &part->text);
	for (size_t i = 0; i < page.lines.n && !e; i++)
		e = file->row(c, part->year, page.lines.items[i], &part->text);
	part->place = page.next_cursor;
	return e;
}

/* ---- the log ---- */

/* Which run of the log it is, is settled once and handed on: `<first> <end> <checkpoint>`. All that
 * was done before the archive was asked for is in it: until then audit answers a conflict. */
static enum err read_proof(struct call *c, const struct section *section, struct export_part *part)
{
	struct audit_archive_range_out range = { 0 };
	const struct audit_archive_range_in in = { .since = part->requested_at };
	enum err e = audit_archive_range_call(c, &in, &range);
	if (e)
		return e;
	buf_text(&part->text, range.proof);
	part->carry = arena_printf(
		c->arena, "%" PRId64 " %" PRId64 " %s", range.first, range.end, range.checkpoint);
	return OK;
}

static enum err read_checkpoint(
	struct call *c, const struct section *section, struct export_part *part)
{
	const char *end = strchr(part->place, ' ') + 1;
	buf_text(&part->text, strchr(end, ' ') + 1);
	part->carry = part->place;
	part->place = NULL;
	return OK;
}

static enum err read_log(struct call *c, const struct section *section, struct export_part *part)
{
	char *rest;
	struct audit_archive_lines_out out = { 0 };
	const int64_t first = strtoll(part->place, &rest, 10);
	const struct audit_archive_lines_in in = { .first = first,
		.end = strtoll(rest, &rest, 10) };
	enum err e = audit_archive_lines_call(c, &in, &out);
	if (e)
		return e;
	if (!out.lines.n)
		return fail(
			c, ERR_INTERNAL, "the log from %" PRId64 " on is not kept any more", first);
	add_lines(part, out.lines.items, out.lines.n);
	const int64_t next = first + (int64_t)out.lines.n;
	part->place =
		next < in.end ? arena_printf(c->arena, "%" PRId64 " %" PRId64, next, in.end) : NULL;
	return OK;
}

/* ---- all of them ---- */

/* In the order of the archive. */
static const struct section SECTIONS[EXPORT_SECTIONS] = {
	{ "data/org.jsonl", "org", read_roster },
	{ "data/user.jsonl", "user", read_roster },
	{ "data/class.jsonl", "class", read_roster },
	{ "data/enrollment.jsonl", "enrollment", read_roster },
	{ "data/feature.jsonl", "feature", read_roster },
	{ "data/skill.jsonl", "skill", read_lesson },
	{ "data/media.jsonl", "media", read_media },
	{ "data/unit.jsonl", "unit", read_lesson },
	{ "data/assignment.jsonl", "assignment", read_lesson },
	{ "data/goal.jsonl", "goal", read_lesson },
	{ "data/try.jsonl", "try", read_lesson },
	{ "data/comment.jsonl", "comment", read_lesson },
	{ "data/evaluation.jsonl", "evaluation", read_lesson },
	{ "data/reflection.jsonl", "reflection", read_lesson },
	{ "data/announcement.jsonl", "announcement", read_announcements },
	{ "oneroster/manifest.csv", "manifest.csv", read_csv },
	{ "oneroster/academicSessions.csv", "academicSessions.csv", read_csv },
	{ "oneroster/orgs.csv", "orgs.csv", read_csv },
	{ "oneroster/courses.csv", "courses.csv", read_csv },
	{ "oneroster/users.csv", "users.csv", read_csv },
	{ "oneroster/roles.csv", "roles.csv", read_csv },
	{ "oneroster/classes.csv", "classes.csv", read_csv },
	{ "oneroster/enrollments.csv", "enrollments.csv", read_csv },
	{ "log/log.jsonl", NULL, read_log },
	{ "log/checkpoint", NULL, read_checkpoint },
	{ "log/proof", NULL, read_proof },
};

#define LOG_FIRST 23 /* the sections before it are written before it, and all from the last on */

int export_section_at(int64_t step)
{
	return step < LOG_FIRST ? LOG_FIRST - 1 - (int)step
				: EXPORT_SECTIONS - 1 - (int)(step - LOG_FIRST);
}

const char *export_section_name(int number)
{
	return SECTIONS[number].name;
}

enum err export_section_read(struct call *c, int number, struct export_part *part)
{
	return SECTIONS[number].read(c, &SECTIONS[number], part);
}
