/*
 * One link of the bus as bytes: the handshake that proves both names, and the sealing of every
 * message after it. No sockets, no threads.
 *
 * Each pair of processes shares a key: the file `<caller>-<callee>.key` (KEY_SIZE bytes as hex).
 * During a rotation it holds two lines: the caller uses the first, the callee accepts both.
 *
 * The caller sends
 *   hello    0x01 ‖ name length (u8) ‖ name ‖ caller random (32) ‖
 *            BLAKE2b(key, "hello" ‖ name ‖ random)
 * and the callee answers
 *   welcome  0x02 ‖ callee random (32) ‖
 *            BLAKE2b(key, "welcome" ‖ caller random ‖ callee random)
 * Both derive one key per direction from the two randoms, so nothing recorded earlier opens again.
 * Then every message is
 *   data     0x03 ‖ sequence (u64, little-endian) ‖ ChaCha20-Poly1305(key of the direction,
 *            nonce = sequence, associated = 0x03 ‖ sequence ‖ direction)
 * and a sequence number that does not rise is refused.
 *
 * A link lies in memory of crypto_secret_alloc(), and keeps the key of the pair no longer than
 * until it is proven. It takes a locked page, and three around it: with at most 64 instances to
 * call and as many callers half a MiB, of the 8 MiB that a process may lock.
 */
#ifndef MANABIYA_LINK_H
#define MANABIYA_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/crypto.h"
#include "libcommon/err.h"

#define LINK_NAME_MAX 32
#define LINK_HELLO_MAX (2 + LINK_NAME_MAX + KEY_SIZE + HASH_SIZE)
#define LINK_WELCOME_SIZE (1 + KEY_SIZE + HASH_SIZE)
#define LINK_HEAD (1 + 8) /* kind and sequence, in clear */
#define LINK_OVERHEAD (LINK_HEAD + STREAM_SEAL_OVERHEAD)

enum link_message { LINK_HELLO = 1, LINK_WELCOME = 2, LINK_DATA = 3 };

/* The keys that a pair shares: one, or two during a rotation. */
struct link_keys {
	unsigned char keys[2][KEY_SIZE];
	unsigned n;
};

/* ERR_NOT_FOUND without such a file, ERR_INVALID for a file that holds anything else; then there is
 * nothing to be wiped. */
must_check enum err link_keys_read(
	const char *directory, const char *caller, const char *callee, struct link_keys *out);

/* One side of an established or beginning link. */
struct link;
void link_free(struct link *link);

/* The caller's side: a link that begins, for link_free(), and *n, the size of the hello. */
struct link *link_hello(const struct link_keys *keys, const char *name,
	unsigned char out[LINK_HELLO_MAX], size_t *n);
must_check enum err link_accept_welcome(struct link *link, const unsigned char *message, size_t n);
/* Whether the caller proved itself by this key. */
bool link_is_under(const struct link *link, const unsigned char key[KEY_SIZE]);

/* The callee's side: the name that a hello claims (then read its keys), and, if it proves it, the
 * answer and a link, for link_free(). */
must_check enum err link_hello_name(
	const unsigned char *message, size_t n, char out[LINK_NAME_MAX + 1]);
must_check enum err link_accept_hello(const struct link_keys *keys, const unsigned char *message,
	size_t n, unsigned char out[LINK_WELCOME_SIZE], struct link **link);

/* Seal n bytes into n + LINK_OVERHEAD; open a data message into n - LINK_OVERHEAD. Both may be done
 * in place: `plain` at out + LINK_HEAD, or `out` at message + LINK_HEAD. Sealing and opening touch
 * different parts of the link: one thread may do the one while another does the other. */
void link_seal(struct link *link, const void *plain, size_t n, unsigned char *out);
must_check enum err link_open(
	struct link *link, const unsigned char *message, size_t n, unsigned char *out);

#endif
