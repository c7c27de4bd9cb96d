/* See oneroster.h. In bulk files status and dateLastModified are empty, says OneRoster. */
#include "services/learning/oneroster.h"

#include <string.h>

#include "provisioning_proto.h"

static const char MANIFEST[] = "propertyName,value\r\n"
			       "manifest.version,1.0\r\n"
			       "oneroster.version,1.2\r\n"
			       "file.academicSessions,absent\r\n"
			       "file.categories,absent\r\n"
			       "file.classes,bulk\r\n"
			       "file.classResources,absent\r\n"
			       "file.courses,absent\r\n"
			       "file.courseResources,absent\r\n"
			       "file.demographics,absent\r\n"
			       "file.enrollments,bulk\r\n"
			       "file.lineItemLearningObjectiveIds,absent\r\n"
			       "file.lineItems,absent\r\n"
			       "file.lineItemScoreScales,absent\r\n"
			       "file.orgs,bulk\r\n"
			       "file.resources,absent\r\n"
			       "file.resultLearningObjectiveIds,absent\r\n"
			       "file.results,absent\r\n"
			       "file.resultScoreScales,absent\r\n"
			       "file.roles,absent\r\n"
			       "file.scoreScales,absent\r\n"
			       "file.userProfiles,absent\r\n"
			       "file.userResources,absent\r\n"
			       "file.users,bulk\r\n"
			       "source.systemName,Manabiya\r\n"
			       "source.systemCode,manabiya\r\n";

/* RFC 4180; NULL is empty. */
static void cell(struct buf *out, const char *text, char after)
{
	bool is_plain = !text || !strpbrk(text, ",\"\r\n");
	if (!is_plain)
		buf_char(out, '"');
	for (; text && *text; text++) {
		if (*text == '"')
			buf_char(out, '"');
		buf_char(out, *text);
	}
	if (!is_plain)
		buf_char(out, '"');
	buf_char(out, after);
}

static void row_of(struct buf *out, const char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cell(out, cells[i], i + 1 < n ? ',' : '\r');
	buf_char(out, '\n');
}
#define ROW(out_, ...)                                                                             \
	row_of(out_, (const char *const[]){ __VA_ARGS__ },                                         \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static const char *boolean(bool yes)
{
	return yes ? "true" : "false";
}

static enum err org_row(struct call *c, const char *line, struct buf *out)
{
	struct provisioning_archived_org org = { 0 };
	enum err e = shape_read_json(c, &provisioning_archived_org_shape, line, strlen(line), &org);
	if (!e)
		ROW(out, org.id, NULL, NULL, org.name, org.type, NULL, NULL);
	return e;
}

static enum err user_row(struct call *c, const char *line, struct buf *out)
{
	struct provisioning_archived_user user = { 0 };
	enum err e =
		shape_read_json(c, &provisioning_archived_user_shape, line, strlen(line), &user);
	if (!e)
		ROW(out, user.id, NULL, NULL, boolean(strcmp(user.status, "active") == 0),
			user.username.text, NULL, user.given_name.text, user.family_name.text, NULL,
			NULL, NULL, NULL, NULL, NULL, user.grade, NULL, NULL, NULL, NULL, NULL,
			NULL, NULL, user.kana_given_name.text, user.kana_family_name.text);
	return e;
}

static enum err class_row(struct call *c, const char *line, struct buf *out)
{
	struct provisioning_archived_class class = { 0 };
	enum err e =
		shape_read_json(c, &provisioning_archived_class_shape, line, strlen(line), &class);
	if (!e)
		ROW(out, class.id, NULL, NULL, class.title, class.grade, NULL, NULL, "homeroom",
			NULL, class.org_id, NULL, NULL, NULL, NULL);
	return e;
}

static enum err enrollment_row(struct call *c, const char *line, struct buf *out)
{
	struct provisioning_roster_enrollment enrollment = { 0 };
	enum err e = shape_read_json(
		c, &provisioning_roster_enrollment_shape, line, strlen(line), &enrollment);
	if (!e)
		ROW(out, enrollment.id, NULL, NULL, enrollment.class_id, enrollment.org_id,
			enrollment.user_id, enrollment.role, boolean(enrollment.primary),
			enrollment.begin_date, enrollment.end_date);
	return e;
}

const struct oneroster_file oneroster_files[ONEROSTER_FILES] = {
	{ "manifest.csv", NULL, MANIFEST, NULL },
	{ "orgs.csv", "org",
		"sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\r\n",
		org_row },
	{ "users.csv", "user",
		"sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,"
		"familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,"
		"userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,"
		"primaryOrgSourcedId,pronouns,metadata.jp.kanaGivenName,"
		"metadata.jp.kanaFamilyName\r\n",
		user_row },
	{ "classes.csv", "class",
		"sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,"
		"classType,location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,"
		"periods\r\n",
		class_row },
	{ "enrollments.csv", "roster_enrollment",
		"sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,"
		"role,primary,beginDate,endDate\r\n",
		enrollment_row },
};
