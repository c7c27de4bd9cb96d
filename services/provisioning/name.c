/*
 * Names of people: four parts, sealed as one under the key of the person they name, because they
 * are always read together. Nothing else of provisioning knows how they lie in the database.
 * Login names are sealed alike, each by itself: most lists show none.
 */
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

/* As the contract says it of each part. */
static const struct personal_kind *kind_of(size_t part)
{
	static const char *const members[NAME_PARTS] = { "familyName", "givenName",
		"kanaFamilyName", "kanaGivenName" };
	return shape_find(&provisioning_user_shape, PLACE_BODY, members[part])->personal;
}

static enum err seal(struct call *c, const struct personal_place *place,
	const char *const parts[NAME_PARTS], const char **sealed)
{
	struct personal name[NAME_PARTS];
	for (size_t i = 0; i < NAME_PARTS; i++)
		name[i] = (struct personal){ .text = parts[i], .kind = kind_of(i) };
	return personal_seal_parts(c, place, name, NAME_PARTS, sealed);
}

enum err name_seal(struct call *c, const char *user_id, const char *const parts[NAME_PARTS],
	const char **sealed)
{
	return seal(c, &(struct personal_place){ .row_id = user_id, .user_id = user_id }, parts,
		sealed);
}

enum err name_seal_nobody(struct call *c, const char *user_id, const char *const parts[NAME_PARTS],
	const char **sealed)
{
	return seal(c, &(struct personal_place){ .row_id = user_id }, parts, sealed);
}

enum err login_seal(
	struct call *c, const char *user_id, struct personal username, const char **sealed)
{
	return personal_seal_for(c,
		&(struct personal_place){ .row_id = user_id, .user_id = user_id }, username,
		sealed);
}

enum err login_seal_nobody(
	struct call *c, const char *user_id, struct personal username, const char **sealed)
{
	return personal_seal_for(
		c, &(struct personal_place){ .row_id = user_id }, username, sealed);
}

enum err login_open(struct call *c, const char *row_and_sealed, const char **username)
{
	return personal_open(c,
		shape_find(&provisioning_user_shape, PLACE_BODY, "username")->personal,
		row_and_sealed, username);
}

enum err name_open(struct call *c, const char *row_and_sealed, const char *parts[NAME_PARTS])
{
	return personal_open_parts(c, kind_of(0), row_and_sealed, parts);
}
