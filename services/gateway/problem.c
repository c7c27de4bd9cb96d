/*
 * The gateway's own problems. The text is made by libcommon's failure_json(), so that a client
 * cannot tell a problem of the gateway from one of a service by its form.
 */
#include "services/gateway/problem.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/crypto.h"

const struct problem problem_bad_request = { ERR_INVALID, 400, "bad_request",
	"リクエストの形式が正しくありません。", "The request is malformed." };
const struct problem problem_idempotency_key_required = { ERR_INVALID, 400,
	"idempotency_key_required", "Idempotency-Key ヘッダーが必要です。",
	"An Idempotency-Key header is required." };
const struct problem problem_idempotency_key_short = { ERR_INVALID, 400, "idempotency_key_short",
	"Idempotency-Key は16文字以上にしてください。UUIDなど、推測できない値を使ってください。",
	"An Idempotency-Key has 16 characters or more that nobody can guess: a UUID, for one." };
const struct problem problem_unauthenticated = { ERR_UNAUTHENTICATED, 401, "unauthenticated",
	"ログインしてください。", "Please log in." };
const struct problem problem_cross_site = { ERR_FORBIDDEN, 403, "cross_site_request",
	"ほかのサイトからの操作は受け付けません。", "Requests from other sites are refused." };
const struct problem problem_forbidden = { ERR_FORBIDDEN, 403, "forbidden",
	"この操作の権限がありません。", "You may not do this." };
const struct problem problem_source_refused = { ERR_FORBIDDEN, 403, "source_refused",
	"この学校は、今お使いの場所(ネットワーク)からは利用できないように設定されています。",
	"This school has said that it is not used from where you are (your network)." };
const struct problem problem_password_change = { ERR_FORBIDDEN, 403, "password_change_required",
	"はじめにパスワードを変更してください。", "Change your initial password first." };
const struct problem problem_contract_closed = { ERR_FORBIDDEN, 403, "contract_closed",
	"契約が終了しているため、データの書き出しのほかは利用できません。",
	"The contract has ended: only its export is open." };
const struct problem problem_not_found = { ERR_NOT_FOUND, 404, "not_found", "見つかりません。",
	"There is no such thing." };
const struct problem problem_method_not_allowed = { ERR_INVALID, 405, "method_not_allowed",
	"この操作はできません。", "The method is not allowed here." };
const struct problem problem_timeout = { ERR_INVALID, 408, "request_timeout",
	"送信に時間がかかりすぎました。もう一度お試しください。",
	"The request took too long to arrive; please try again." };
const struct problem problem_body_too_large = { ERR_INVALID, 413, "body_too_large",
	"送信された内容が大きすぎます。", "The request body is too large." };
const struct problem problem_content_type = { ERR_INVALID, 415, "unsupported_media_type",
	"この形式の内容は受け付けません。", "The content type is not supported here." };
const struct problem problem_range = { ERR_INVALID, 416, "range_not_satisfiable",
	"指定された範囲はありません。", "The requested range does not exist." };
const struct problem problem_expectation = { ERR_INVALID, 417, "expectation_failed",
	"Expect ヘッダーの内容に対応していません。",
	"The Expect header asks for something unknown." };
const struct problem problem_misdirected = { ERR_INVALID, 421, "misdirected_request",
	"このサーバーの宛先ではありません。", "This server does not answer for that host." };
const struct problem problem_if_match_required = { ERR_INVALID, 428, "if_match_required",
	"If-Match ヘッダーが必要です。読み込み直してください。",
	"An If-Match header is required; read the resource first." };
const struct problem problem_too_many_streams = { ERR_LIMITED, 429, "too_many_streams",
	"開いている画面が多すぎます。", "Too many pages are open." };
const struct problem problem_rate_limited = { ERR_LIMITED, 429, "rate_limited",
	"短い時間に操作が集中しています。少し待ってからもう一度お試しください。",
	"Too many requests in a short time; please wait a moment and try again." };
const struct problem problem_method_unknown = { ERR_INVALID, 501, "method_unknown",
	"このメソッドには対応していません。", "The method is unknown." };
const struct problem problem_bad_gateway = { ERR_UNAVAILABLE, 502, "bad_gateway",
	"サービスの応答が正しくありません。", "A service gave an impossible answer." };
const struct problem problem_service_unavailable = { ERR_UNAVAILABLE, 503, "unavailable",
	"ただいま利用できません。しばらくしてからもう一度お試しください。",
	"Not available at the moment; please try again later." };
const struct problem problem_overloaded = { ERR_UNAVAILABLE, 503, "overloaded",
	"ただいま混み合っています。少し待ってからもう一度お試しください。",
	"The system is busy; please wait a moment and try again." };
const struct problem problem_deadline = { ERR_UNAVAILABLE, 504, "deadline_exceeded",
	"時間内に応答がありませんでした。もう一度お試しください。",
	"There was no answer in time; please try again." };

const struct problem problem_version_unknown = { ERR_INVALID, 505, "version_unknown",
	"この HTTP のバージョンには対応していません。", "The version of HTTP is unknown." };

const struct problem *problem_of_refusal(unsigned status)
{
	static const struct problem *const refusals[] = { &problem_timeout, &problem_body_too_large,
		&problem_expectation, &problem_method_unknown, &problem_version_unknown };
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (refusals[i]->status == status) {
			return refusals[i];
		}
	}
	return &problem_bad_request;
}

const char *problem_json(struct arena *arena, const struct problem *problem, const char *call_id,
	enum language language)
{
	struct call c = {
		.arena = arena,
		.call_id = call_id,
		.language = language,
		.failure = { .problem = problem },
	};
	return failure_json(&c);
}

/* The q of one item of Accept-Language, in thousandths. */
static int quality(const char *item, size_t n)
{
	const char *q = memmem(item, n, ";q=", 3);
	if (!q) {
		return 1000;
	}
	double value = strtod(q + 3, NULL);
	return value < 0 || value > 1 ? 0 : (int)(value * 1000);
}

enum language language_of(const char *accept_language)
{
	int best_ja = 0, best_en = 0;
	const char *at = accept_language ? accept_language : "";
	while (*at) {
		at += strspn(at, " ,");
		size_t n = strcspn(at, ",");
		int q = quality(at, n);
		if (n >= 2 && !strncasecmp(at, "ja", 2) && q > best_ja) {
			best_ja = q;
		} else if (n >= 2 && !strncasecmp(at, "en", 2) && q > best_en) {
			best_en = q;
		}
		at += n;
	}
	return best_en > best_ja ? LANGUAGE_EN : LANGUAGE_JA;
}

const struct problem *problem_of_status(unsigned status)
{
	return status == 504 ? &problem_deadline : &problem_service_unavailable;
}

int retry_after_s(void)
{
	unsigned char byte;
	crypto_random(&byte, 1);
	return 1 + byte % 5;
}
