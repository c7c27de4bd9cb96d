/* What a role means for sessions and passwords. */
#include "services/auth/auth.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIB ((size_t)1 << 20)

/* The school day in Japan, which has one zone and no summer time. Who logs in within it is out when
 * it ends: tablets are shared, and left lying about. */
#define JAPAN_OFFSET_MS (9 * HOUR_MS)
#define SCHOOL_BEGINS_MS (5 * HOUR_MS)
#define SCHOOL_ENDS_MS (17 * HOUR_MS)

#define STAFF_COST .passes = PASSWORD_STAFF_PASSES, .memory_bytes = PASSWORD_STAFF_MIB * MIB
#define STUDENT_COST .passes = PASSWORD_STUDENT_PASSES, .memory_bytes = PASSWORD_STUDENT_MIB * MIB

static const struct policy POLICIES[] = {
	{ .role = ROLE_OPERATOR,
		.idle_ms = 15 * MINUTE_MS,
		.absolute_ms = 8 * HOUR_MS,
		.password_min = 15,
		STAFF_COST,
		.is_privileged = true },
	{ .role = ROLE_CONTRACTOR,
		.idle_ms = 15 * MINUTE_MS,
		.absolute_ms = 8 * HOUR_MS,
		.password_min = 15,
		STAFF_COST,
		.is_privileged = true },
	{ .role = ROLE_INSTRUCTOR,
		.idle_ms = 60 * MINUTE_MS,
		.absolute_ms = 12 * HOUR_MS,
		.password_min = 15,
		STAFF_COST },
	{ .role = ROLE_STUDENT,
		.idle_ms = 30 * MINUTE_MS,
		.absolute_ms = 4 * HOUR_MS,
		.password_min = 8,
		STUDENT_COST,
		.ends_with_school = true },
};

const struct policy *policy_of(enum role role)
{
	for (size_t i = 0; i < sizeof POLICIES / sizeof *POLICIES; i++)
		if (POLICIES[i].role == role)
			return &POLICIES[i];
	return NULL;
}

int64_t session_end_ms(const struct policy *policy, int64_t now_unix_ms)
{
	int64_t time_of_day = (now_unix_ms + JAPAN_OFFSET_MS) % DAY_MS;
	bool is_school = time_of_day >= SCHOOL_BEGINS_MS && time_of_day < SCHOOL_ENDS_MS - HOUR_MS;
	if (policy->ends_with_school && is_school)
		return now_unix_ms + SCHOOL_ENDS_MS - time_of_day;
	return now_unix_ms + policy->absolute_ms;
}
