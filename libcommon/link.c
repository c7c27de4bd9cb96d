/* The handshake and the sealing of a bus link; see link.h. Refuses anything unproven, replayed or
 * cut. */
#include "libcommon/link.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE_MAX 256 /* two hex lines */

struct link {
	unsigned char key[KEY_SIZE]; /* of the pair, while a caller waits for the welcome */
	unsigned char random[KEY_SIZE]; /* the caller's own, and what makes the key known again */
	unsigned char mark[HASH_SIZE];
	unsigned char key_out[KEY_SIZE], key_in[KEY_SIZE];
	uint64_t sequence_out, sequence_in;
	bool is_caller, is_proven;
};

void link_free(struct link *link)
{
	crypto_secret_free(link);
}

static enum err keys_parse(const char *text, struct link_keys *out)
{
	for (const char *line = text; *line && out->n < 2;) {
		size_t n = strcspn(line, "\n");
		char hex[2 * KEY_SIZE + 1] = { 0 };
		if (n != 2 * KEY_SIZE)
			return ERR_INVALID;
		memcpy(hex, line, n);
		enum err e = crypto_from_hex(hex, out->keys[out->n], KEY_SIZE);
		crypto_wipe(hex, sizeof(hex));
		if (e)
			return e;
		out->n++;
		line += n + (line[n] == '\n');
	}
	return out->n ? OK : ERR_INVALID;
}

enum err link_keys_read(
	const char *directory, const char *caller, const char *callee, struct link_keys *out)
{
	char path[512], text[KEY_FILE_MAX];
	if (snprintf(path, sizeof(path), "%s/%s-%s.key", directory, caller, callee) >=
		(int)sizeof(path))
		return ERR_INVALID;
	FILE *file = fopen(path, "re");
	if (!file)
		return ERR_NOT_FOUND;
	setvbuf(file, NULL, _IONBF, 0); /* no copy of the key in a buffer that nobody wipes */
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	memset(out, 0, sizeof(*out));
	enum err e = keys_parse(text, out);
	crypto_wipe(text, sizeof(text));
	if (e)
		crypto_wipe(out, sizeof(*out)); /* the first line may have been a key */
	return e;
}

/* BLAKE2b(key, label ‖ a ‖ b); label has no NUL, a and b have fixed or proven lengths. */
static void prove(const unsigned char *key, const char *label, const void *a, size_t a_n,
	const void *b, unsigned char out[HASH_SIZE])
{
	unsigned char text[16 + LINK_NAME_MAX + 2 * KEY_SIZE];
	size_t n = strlen(label);
	memcpy(text, label, n);
	memcpy(text + n, a, a_n);
	memcpy(text + n + a_n, b, KEY_SIZE);
	crypto_keyed_hash(key, text, n + a_n + KEY_SIZE, out);
}

struct link *link_hello(const struct link_keys *keys, const char *name,
	unsigned char out[LINK_HELLO_MAX], size_t *n)
{
	struct link *link = crypto_secret_alloc(sizeof(*link));
	size_t name_n = strnlen(name, LINK_NAME_MAX);
	memcpy(link->key, keys->keys[0], KEY_SIZE);
	crypto_random(link->random, KEY_SIZE);
	out[0] = LINK_HELLO;
	out[1] = (unsigned char)name_n;
	memcpy(out + 2, name, name_n);
	memcpy(out + 2 + name_n, link->random, KEY_SIZE);
	prove(link->key, "hello", name, name_n, link->random, out + 2 + name_n + KEY_SIZE);
	prove(link->key, "in use", link->random, KEY_SIZE, link->random, link->mark);
	*n = 2 + name_n + KEY_SIZE + HASH_SIZE;
	return link;
}

/* The randoms of both. */
struct randoms {
	const unsigned char *caller, *callee;
};

static void establish(
	struct link *link, const unsigned char *key, struct randoms randoms, bool is_caller)
{
	link->is_caller = is_caller;
	prove(key, "to callee", randoms.caller, KEY_SIZE, randoms.callee,
		is_caller ? link->key_out : link->key_in);
	prove(key, "to caller", randoms.caller, KEY_SIZE, randoms.callee,
		is_caller ? link->key_in : link->key_out);
	link->is_proven = true;
}

enum err link_accept_welcome(struct link *link, const unsigned char *message, size_t n)
{
	unsigned char proof[HASH_SIZE];
	if (link->is_proven || n != LINK_WELCOME_SIZE || message[0] != LINK_WELCOME)
		return ERR_INVALID;
	prove(link->key, "welcome", link->random, KEY_SIZE, message + 1, proof);
	if (!crypto_equal(proof, message + 1 + KEY_SIZE, HASH_SIZE))
		return ERR_UNAUTHENTICATED;
	establish(link, link->key, (struct randoms){ link->random, message + 1 }, true);
	crypto_wipe(link->key, KEY_SIZE);
	return OK;
}

bool link_is_under(const struct link *link, const unsigned char key[KEY_SIZE])
{
	unsigned char mark[HASH_SIZE];
	prove(key, "in use", link->random, KEY_SIZE, link->random, mark);
	return crypto_equal(mark, link->mark, HASH_SIZE);
}

enum err link_hello_name(const unsigned char *message, size_t n, char out[LINK_NAME_MAX + 1])
{
	if (n < 2 || message[0] != LINK_HELLO || message[1] == 0 || message[1] > LINK_NAME_MAX ||
		n != 2u + message[1] + KEY_SIZE + HASH_SIZE)
		return ERR_INVALID;
	/* The name becomes part of a path: letters only. */
	for (unsigned i = 0; i < message[1]; i++) {
		if (message[2 + i] < 'a' || message[2 + i] > 'z')
			return ERR_INVALID;
	}
	memcpy(out, message + 2, message[1]);
	out[message[1]] = '\0';
	return OK;
}

enum err link_accept_hello(const struct link_keys *keys, const unsigned char *message, size_t n,
	unsigned char out[LINK_WELCOME_SIZE], struct link **link)
{
	char name[LINK_NAME_MAX + 1];
	unsigned char proof[HASH_SIZE];
	enum err e = link_hello_name(message, n, name);
	if (e)
		return e;
	const unsigned char *random = message + 2 + message[1];
	for (unsigned i = 0; i < keys->n; i++) {
		const unsigned char *key = keys->keys[i];
		prove(key, "hello", name, message[1], random, proof);
		if (!crypto_equal(proof, random + KEY_SIZE, HASH_SIZE))
			continue;
		out[0] = LINK_WELCOME;
		crypto_random(out + 1, KEY_SIZE);
		prove(key, "welcome", random, KEY_SIZE, out + 1, out + 1 + KEY_SIZE);
		*link = crypto_secret_alloc(sizeof(**link));
		establish(*link, key, (struct randoms){ random, out + 1 }, false);
		return OK;
	}
	return ERR_UNAUTHENTICATED;
}

/* What a sealed message says in clear, and the direction, which it does not say: kind ‖ sequence ‖
 * direction. */
#define ASSOCIATED_SIZE (LINK_HEAD + 1)

static void put_head(unsigned char out[LINK_HEAD], uint64_t sequence)
{
	out[0] = LINK_DATA;
	for (unsigned i = 0; i < 8; i++)
		out[1 + i] = (unsigned char)(sequence >> (8 * i));
}

static struct bytes associate(
	unsigned char out[ASSOCIATED_SIZE], const unsigned char *head, bool is_to_callee)
{
	memcpy(out, head, LINK_HEAD);
	out[LINK_HEAD] = is_to_callee;
	return (struct bytes){ out, ASSOCIATED_SIZE };
}

void link_seal(struct link *link, const void *plain, size_t n, unsigned char *out)
{
	unsigned char associated[ASSOCIATED_SIZE];
	assert(link->is_proven); /* before that everybody knows its keys, which are zero */
	uint64_t sequence = ++link->sequence_out;
	put_head(out, sequence);
	crypto_stream_seal(link->key_out, sequence, associate(associated, out, link->is_caller),
		plain, n, out + LINK_HEAD);
}

enum err link_open(struct link *link, const unsigned char *message, size_t n, unsigned char *out)
{
	unsigned char associated[ASSOCIATED_SIZE];
	uint64_t sequence = 0;
	if (!link->is_proven || n < LINK_OVERHEAD || message[0] != LINK_DATA)
		return ERR_INVALID;
	for (unsigned i = 0; i < 8; i++)
		sequence |= (uint64_t)message[1 + i] << (8 * i);
	if (sequence <= link->sequence_in)
		return ERR_INVALID;
	enum err e = crypto_stream_open(link->key_in, sequence,
		associate(associated, message, !link->is_caller), message + LINK_HEAD,
		n - LINK_HEAD, out);
	if (e)
		return e;
	link->sequence_in = sequence;
	return OK;
}
