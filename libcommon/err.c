/* The one table that maps errors to wire names, HTTP statuses and what people read. */
#include "libcommon/err.h"

#include <string.h>

static const struct problem problems[ERR_COUNT] = {
	[OK] = { OK, 200, "ok", "成功しました。", "Done." },
	[ERR_INVALID] = { ERR_INVALID, 422, "invalid", "入力に誤りがあります。",
		"The request has mistakes." },
	[ERR_UNAUTHENTICATED] = { ERR_UNAUTHENTICATED, 401, "unauthenticated",
		"ログインしてください。", "Log in first." },
	[ERR_FORBIDDEN] = { ERR_FORBIDDEN, 403, "forbidden", "この操作は許可されていません。",
		"This is not allowed to you." },
	[ERR_NOT_FOUND] = { ERR_NOT_FOUND, 404, "not_found", "見つかりません。",
		"There is no such thing." },
	[ERR_CONFLICT] = { ERR_CONFLICT, 409, "conflict",
		"今の状態ではできません。読み直してからもう一度お試しください。",
		"Not in this state: read again, then decide." },
	[ERR_LIMITED] = { ERR_LIMITED, 429, "limited",
		"回数が多すぎます。少し待ってからお試しください。", "Too much: slow down." },
	[ERR_UNAVAILABLE] = { ERR_UNAVAILABLE, 503, "unavailable",
		"今は利用できません。しばらくしてからお試しください。", "Not now: try later." },
	[ERR_INTERNAL] = { ERR_INTERNAL, 500, "internal", "システムの内部で問題が起きました。",
		"Something broke on our side." },
};

/* A number that is none of ours is a bug somewhere: internal. */
const struct problem *problem_of(enum err err)
{
	return (unsigned)err < ERR_COUNT ? &problems[err] : &problems[ERR_INTERNAL];
}

const char *err_name(enum err err)
{
	return problem_of(err)->code;
}

enum err err_from_name(const char *name)
{
	for (unsigned i = 0; i < ERR_COUNT; i++)
		if (strcmp(problems[i].code, name) == 0)
			return (enum err)i;
	return ERR_INTERNAL;
}
