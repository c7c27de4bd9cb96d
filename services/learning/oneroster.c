/* See oneroster.h. In bulk files status and dateLastModified are empty, says OneRoster. */
#include "services/learning/oneroster.h"

#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/uuid.h"
#include "provisioning_proto.h"

static const char MANIFEST[] = "propertyName,value\r\n"
			       "manifest.version,1.0\r\n"
			       "oneroster.version,1.2.1\r\n"
			       "file.academicSessions,bulk\r\n"
			       "file.categories,absent\r\n"
			       "file.classes,bulk\r\n"
			       "file.classResources,absent\r\n"
			       "file.courses,bulk\r\n"
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
			       "file.roles,bulk\r\n"
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

/* ---- what is made up ---- */

/* The id of what is of this kind and about that: a UUIDv8 (RFC 9562). */
static const char *made_id(struct call *c, const char *kind, const char *of, const char *and_of)
{
	char id[UUID_SIZE];
	unsigned char hash[HASH_SIZE];
	const char *text = arena_printf(c->arena, "oneroster/%s/%s/%s", kind, of, and_of);
	crypto_sha256(text, strlen(text), hash);
	hash[6] = (unsigned char)((hash[6] & 0x0f) | 0x80);
	hash[8] = (unsigned char)((hash[8] & 0x3f) | 0x80);
	uuid_from_bytes(hash, id);
	return arena_strdup(c->arena, id);
}

static const char *year_text(struct call *c, int year)
{
	return arena_printf(c->arena, "%d", year);
}

static const char *session_id(struct call *c, int year)
{
	return made_id(c, "academicSession", c->actor->tenant_id, year_text(c, year));
}

static const char *course_id(struct call *c, int year, const char *org_id)
{
	return made_id(c, "course", org_id, year_text(c, year));
}

static enum err session_row(struct call *c, int year, const char *line, struct buf *out)
{
	ROW(out, session_id(c, year), NULL, NULL, arena_printf(c->arena, "%d年度", year),
		"schoolYear", arena_printf(c->arena, "%d-04-01", year),
		arena_printf(c->arena, "%d-03-31", year + 1), NULL, year_text(c, year));
	return OK;
}

static enum err course_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_roster_org org = { 0 };
	enum err e = shape_read_json(c, &provisioning_roster_org_shape, line, strlen(line), &org);
	if (!e && org.has_classes)
		ROW(out, course_id(c, year, org.id), NULL, NULL, session_id(c, year),
			arena_printf(c->arena, "%d年度ホームルーム", year), NULL, NULL, org.id,
			NULL, NULL);
	return e;
}

/* ---- what is there ---- */

static enum err org_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_roster_org org = { 0 };
	enum err e = shape_read_json(c, &provisioning_roster_org_shape, line, strlen(line), &org);
	if (!e)
		ROW(out, org.id, NULL, NULL, org.name, org.type, NULL, org.parent_id);
	return e;
}

static enum err user_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_archived_user user = { 0 };
	enum err e =
		shape_read_json(c, &provisioning_archived_user_shape, line, strlen(line), &user);
	if (!e)
		ROW(out, user.id, NULL, NULL, boolean(strcmp(user.status, "active") == 0),
			user.username.text, NULL, user.given_name.text, user.family_name.text, NULL,
			NULL, NULL, NULL, NULL, NULL, user.grade, NULL, NULL, NULL, NULL, NULL,
			NULL, NULL, user.kana_given_name.text, user.kana_family_name.text, NULL,
			NULL, NULL, NULL, NULL);
	return e;
}

static const char *role_of(const char *role)
{
	if (strcmp(role, "contractor") == 0)
		return "districtAdministrator";
	return strcmp(role, "instructor") == 0 ? "teacher" : "student";
}

static enum err role_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_roster_role role = { 0 };
	enum err e = shape_read_json(c, &provisioning_roster_role_shape, line, strlen(line), &role);
	for (size_t i = 0; !e && i < role.org_ids.n; i++) {
		const char *org_id = role.org_ids.items[i];
		ROW(out, made_id(c, "role", role.user_id, org_id), NULL, NULL, role.user_id,
			i == 0 ? "primary" : "secondary", role_of(role.role), NULL, NULL, org_id,
			NULL);
	}
	return e;
}

static enum err class_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_archived_class class = { 0 };
	enum err e =
		shape_read_json(c, &provisioning_archived_class_shape, line, strlen(line), &class);
	if (!e)
		ROW(out, class.id, NULL, NULL, class.title, class.grade,
			course_id(c, year, class.org_id), NULL, "homeroom", NULL, class.org_id,
			session_id(c, year), NULL, NULL, NULL, NULL);
	return e;
}

static enum err enrollment_row(struct call *c, int year, const char *line, struct buf *out)
{
	struct provisioning_roster_enrollment enrollment = { 0 };
	enum err e = shape_read_json(
		c, &provisioning_roster_enrollment_shape, line, strlen(line), &enrollment);
	if (!e)
		ROW(out, enrollment.id, NULL, NULL, enrollment.class_id, enrollment.org_id,
			enrollment.user_id, enrollment.role, boolean(enrollment.primary),
			enrollment.begin_date, enrollment.end_date, NULL, NULL);
	return e;
}

/* In the order of the archive: what is referred to comes first. */
const struct oneroster_file oneroster_files[ONEROSTER_FILES] = {
	{ "manifest.csv", NULL, MANIFEST, NULL },
	{ "academicSessions.csv", NULL,
		"sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,"
		"schoolYear\r\n",
		session_row },
	{ "orgs.csv", "roster_org",
		"sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\r\n",
		org_row },
	{ "courses.csv", "roster_org",
		"sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,"
		"orgSourcedId,subjects,subjectCodes\r\n",
		course_row },
	{ "users.csv", "user",
		"sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,"
		"familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,"
		"userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,"
		"primaryOrgSourcedId,pronouns,metadata.jp.kanaGivenName,"
		"metadata.jp.kanaFamilyName,metadata.jp.kanaMiddleName,metadata.jp.homeClass,"
		"metadata.jp.kanaPreferredFamilyName,metadata.jp.kanaPreferredGivenName,"
		"metadata.jp.kanaPreferredMiddleName\r\n",
		user_row },
	{ "roles.csv", "roster_role",
		"sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,"
		"orgSourcedId,userProfileSourcedId\r\n",
		role_row },
	{ "classes.csv", "class",
		"sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,"
		"classType,location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,"
		"periods,metadata.jp.specialNeeds\r\n",
		class_row },
	{ "enrollments.csv", "roster_enrollment",
		"sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,"
		"role,primary,beginDate,endDate,metadata.jp.shussekiNo,metadata.jp.publicFlg\r\n",
		enrollment_row },
};

const struct oneroster_file *oneroster_find(const char *name)
{
	for (size_t i = 0; i < ONEROSTER_FILES; i++)
		if (strcmp(oneroster_files[i].name, name) == 0)
			return &oneroster_files[i];
	return NULL;
}
