/*
 * What a new password may not be like. No composition rules (NIST SP 800-63B-4): length, and
 * nothing that guessers try first - repeats, rows of the keyboard or the alphabet, names from
 * around the account, the words that everybody takes.
 *
 * The rule behind all of these: take what is guessable away, and see whether enough is left.
 */
#include <ctype.h>
#include <string.h>

#include "libcommon/utf8.h"
#include "services/auth/auth.h"

/* What must be left besides one guessable part: four characters of anything. */
#define REST_MIN 4
#define DIFFERENT_MIN 5
#define USERNAME_MAX 64 /* common.yaml */
#define RUN_MIN 3 /* 3 neighbours in a row are a run: abc, 321, qwe */

/* Rows and columns of the keyboard; alphabet and digits are neighbours by their code. */
static const char *const KEYBOARD[] = { "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv",
	"1234567890" };

/* What people type when a password is asked for, in lower case; a longer one is found with it. */
static const char *const WORDS[] = { "password", "passw0rd", "p@ssw0rd", "pasuwado", "letmein",
	"welcome", "iloveyou", "admin", "administrator", "login", "master", "secret", "dragon",
	"monkey", "football", "baseball", "soccer", "sunshine", "princess", "pokemon", "pikachu",
	"doraemon", "minecraft", "naruto", "sakura", "hanako", "taro", "tanaka", "suzuki", "sato",
	"school", "student", "teacher", "sensei", "gakkou", "manabiya", "tokyo", "japan", "nihon",
	"arigato", "konnichiwa", "パスワード", "がっこう", "ひみつ" };

/* Lower case for ASCII; other scripts that guessers try have none. */
static const char *lower(struct call *c, const char *text)
{
	char *copy = arena_strdup(c->arena, text);
	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

/* ---- as code points ---- */

struct points {
	uint32_t *at;
	size_t n;
};

static struct points points_of(struct call *c, const char *text)
{
	size_t n = strlen(text);
	struct points points = { .at = arena_array(c->arena, n + 1, sizeof(uint32_t)) };
	for (size_t i = 0, taken; i < n; i += taken) {
		taken = utf8_next(text + i, n - i, &points.at[points.n]);
		if (taken == 0)
			break;
		points.n++;
	}
	return points;
}

static bool has_few_different(struct points points)
{
	size_t different = 0;
	for (size_t i = 0; i < points.n; i++) {
		bool is_new = true;
		for (size_t j = 0; j < i && is_new; j++)
			is_new = points.at[j] != points.at[i];
		different += is_new;
	}
	return different < DIFFERENT_MIN;
}

/* The same part again and again: abcdabcd, パスパスパス. */
static bool is_repetition(struct points points)
{
	for (size_t period = 1; period <= points.n / 2; period++) {
		size_t i = period;
		while (i < points.n && points.at[i] == points.at[i - period])
			i++;
		if (i == points.n)
			return true;
	}
	return false;
}

/* -1 or 1 when b stands beside a on a row, else 0. */
static int keyboard_step(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0 || a > 0x7f || b > 0x7f)
		return 0;
	for (size_t i = 0; i < sizeof KEYBOARD / sizeof *KEYBOARD; i++) {
		const char *at = strchr(KEYBOARD[i], (int)a);
		if (at && at[1] == (char)b)
			return 1;
		if (at && at > KEYBOARD[i] && at[-1] == (char)b)
			return -1;
	}
	return 0;
}

static int step(uint32_t a, uint32_t b)
{
	if (b == a + 1)
		return 1;
	if (a == b + 1)
		return -1;
	return keyboard_step(a, b);
}

/* How many characters stand outside of runs. */
static size_t rest_without_runs(struct points points)
{
	size_t rest = 0;
	for (size_t i = 0, length; i < points.n; i += length) {
		int way = i + 1 < points.n ? step(points.at[i], points.at[i + 1]) : 0;
		for (length = 1; way && i + length < points.n &&
			step(points.at[i + length - 1], points.at[i + length]) == way;)
			length++;
		if (length < RUN_MIN) {
			length = 1;
			rest++;
		}
	}
	return rest;
}

/* ---- against words ---- */

/* How many characters are left when every occurrence of the word is taken out. */
static int64_t rest_without(const char *password, const char *word)
{
	int64_t rest = utf8_count(password, strlen(password));
	int64_t length = utf8_count(word, strlen(word));
	if (length <= 0)
		return rest;
	for (const char *at = password; (at = strstr(at, word)); at += strlen(word))
		rest -= length;
	return rest;
}

static bool is_little_more_than(struct call *c, const char *password, const char *word)
{
	const char *known = lower(c, word);
	return *known && strstr(password, known) && rest_without(password, known) < REST_MIN;
}

/* The login name is known by its index only: so every part is tried without which too little would
 * be left. Those are few. Login names are ASCII. */
static bool is_little_more_than_login(
	struct call *c, const struct password_context *context, const char *password)
{
	char part[USERNAME_MAX + 1];
	for (const char *from = password; *from; from++)
		for (size_t n = 1; n <= USERNAME_MAX && from[n - 1] > 0; n++) {
			memcpy(part, from, n);
			part[n] = '\0';
			if (rest_without(password, part) < REST_MIN &&
				strcmp(login_index(c, context->login_key, part),
					context->login_index) == 0)
				return true;
		}
	return false;
}

static bool is_common_word(struct call *c, const char *password)
{
	for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
		if (is_little_more_than(c, password, WORDS[i]))
			return true;
	return false;
}

/* ---- all rules ---- */

static enum err check_length(struct call *c, const struct password_context *context,
	const char *password, const char *pointer)
{
	if (utf8_count(password, strlen(password)) >= context->policy->password_min)
		return OK;
	return fail_field(c, pointer,
		arena_printf(
			c->arena, "%d文字以上にしてください。", (int)context->policy->password_min),
		arena_printf(c->arena, "must have at least %d characters",
			(int)context->policy->password_min));
}

static enum err check_pattern(struct call *c, const char *password, const char *pointer)
{
	struct points points = points_of(c, password);
	if (has_few_different(points) || is_repetition(points))
		return fail_field(c, pointer, "同じ文字や同じ並びの繰り返しは使えません。",
			"repeats the same characters");
	if (rest_without_runs(points) < REST_MIN)
		return fail_field(c, pointer,
			"「1234」「abcd」「qwerty」のような並びだけのパスワードは使えません。",
			"is little more than a row of the keyboard or the alphabet");
	return OK;
}

static enum err check_words(struct call *c, const struct password_context *context,
	const char *password, const char *pointer)
{
	if (is_little_more_than_login(c, context, password) ||
		is_little_more_than(c, password, context->tenant_code))
		return fail_field(c, pointer, "ユーザー名や学校コードは使えません。",
			"is little more than the username or the school code");
	if (is_little_more_than(c, password, context->current))
		return fail_field(c, pointer, "今までのパスワードとは別のものにしてください。",
			"is little more than the password so far");
	if (is_common_word(c, password))
		return fail_field(c, pointer, "よく使われる言葉だけのパスワードは使えません。",
			"is little more than a word that everybody takes");
	return OK;
}

enum err password_check(struct call *c, const struct password_context *context,
	const char *password, const char *pointer)
{
	const char *lowered = lower(c, password);
	enum err e = check_length(c, context, password, pointer);
	if (!e)
		e = check_pattern(c, lowered, pointer);
	return e ? e : check_words(c, context, lowered, pointer);
}
