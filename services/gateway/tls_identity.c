/*
 * OpenSSL contexts: one for the default certificate, and one for each of the directory's, hanging
 * on the first, so that the last stream made from it lets go of all.
 */
#include "services/gateway/tls_identity.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"
#include "services/gateway/file_stamp.h"
#include "services/gateway/server_name.h"
#include "services/gateway/ticket_key.h"

enum {
	NAMED_MAX = 64, /* certificates of a directory; each handshake looks through them */
	NAMES_MAX = 100, /* of one certificate; public authorities sign no more */
	PATH_SIZE = 4096 + NAME_MAX + 2,
};

/* AES-128 first: as strong as P-256 and the cheapest; ChaCha20 for clients that ask for it. */
static const char SUITES[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/* TLS 1.2 only as far as it is as good: forward secrecy and authenticated encryption. */
static const char SUITES_12[] =
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char GROUPS[] = "X25519:P-256:P-384";
static const unsigned char PROTOCOLS[] = "\x02h2\x08http/1.1";

/* A certificate of the directory and the names that it is for. */
struct named {
	SSL_CTX *context;
	char *names[NAMES_MAX];
	size_t names_n;
};

struct directory {
	struct named items[NAMED_MAX];
	size_t n;
};

static struct ticket_keys *tickets;
static int directory_index = -1; /* of SSL_CTX's extra data */

/* The foreign reason in words, and an empty queue for the next call. */
static void log_reason(const char *what, const char *file)
{
	char reason[256] = "unknown";
	unsigned long code = ERR_peek_last_error();
	if (code)
		ERR_error_string_n(code, reason, sizeof reason);
	ERR_clear_error();
	log_event(LOG_LEVEL_ERROR, what, LOG_TEXT("file", file), LOG_TEXT("reason", reason));
}

/* ---- tickets ---- */

static bool start_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_END,
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL asks for the key of a ticket that it makes or has received. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_sealing)
{
	enum { FAILED = -1, UNKNOWN = 0, GOOD = 1, GOOD_BUT_RENEW = 2 };
	int64_t now_ms = clock_steady_ms();
	const struct ticket_key *key = is_sealing ? ticket_keys_current(tickets, now_ms)
						  : ticket_keys_find(tickets, name, now_ms);
	if (!key)
		return UNKNOWN; /* a full handshake then */
	if (is_sealing) {
		memcpy(name, key->name, sizeof key->name);
		crypto_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	}
	if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_sealing) != 1 ||
		!start_mac(mac, key))
		return FAILED;
	return key == &tickets->current ? GOOD : GOOD_BUT_RENEW;
}

void tls_tickets_start(int64_t lifetime_ms)
{
	tickets = ticket_keys_new(lifetime_ms, clock_steady_ms());
}

void tls_tickets_stop(void)
{
	ticket_keys_free(tickets);
	tickets = NULL;
}

/* ---- what every context has ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *offered, unsigned offered_n, void *arg)
{
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_n, PROTOCOLS, sizeof PROTOCOLS - 1, offered,
		    offered_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Called for every handshake message: counts them in the stream's own slot (tls.c). */
static void on_message(const SSL *ssl, int where, int value)
{
	if (where != SSL_CB_ACCEPT_LOOP)
		return;
	size_t seen = (size_t)SSL_get_app_data(ssl) + 1;
	SSL_set_app_data((SSL *)(uintptr_t)ssl, (void *)seen);
}

static bool configure_tickets(SSL_CTX *context, const struct tls_settings *settings)
{
	static const unsigned char id[] = "manabiya";
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets carry the state */
	if (!settings->has_tickets) {
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(context, 0) == 1;
	}
	SSL_CTX_set_timeout(context, tickets->lifetime_ms / 1000);
	return SSL_CTX_set_num_tickets(context, 1) == 1 &&
		SSL_CTX_set_max_early_data(context, 0) == 1 &&
		SSL_CTX_set_session_id_context(context, id, sizeof id - 1) == 1 &&
		SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

static bool configure(SSL_CTX *context, const struct tls_settings *settings)
{
	int oldest = settings->has_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX_set_options(context,
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION |
			SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1); /* one system call a record instead of two */
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	SSL_CTX_set_info_callback(context, on_message);
	return SSL_CTX_set_min_proto_version(context, oldest) == 1 &&
		SSL_CTX_set_ciphersuites(context, SUITES) == 1 &&
		SSL_CTX_set_cipher_list(context, SUITES_12) == 1 &&
		SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
		configure_tickets(context, settings);
}

static bool demand_client(SSL_CTX *context, const char *authority)
{
	if (!*authority)
		return true;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authority);
	if (!names || SSL_CTX_load_verify_file(context, authority) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		log_reason("the authority of clients cannot be used", authority);
		return false;
	}
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return true;
}

static bool load_pair(SSL_CTX *context, const char *certificate, const char *key)
{
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
		log_reason("the TLS certificate cannot be used", certificate);
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(context) != 1) {
		log_reason("the TLS key cannot be used", key);
		return false;
	}
	return true;
}

static SSL_CTX *context_new(
	const struct tls_settings *settings, const char *certificate, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (!context)
		abort(); /* out of memory */
	if (!configure(context, settings)) {
		log_reason("TLS cannot be configured", NULL);
	} else if (demand_client(context, settings->client_ca) &&
		load_pair(context, certificate, key)) {
		return context;
	}
	SSL_CTX_free(context);
	return NULL;
}

/* ---- several names ---- */

static void named_fini(struct named *named)
{
	SSL_CTX_free(named->context);
	for (size_t i = 0; i < named->names_n; i++)
		free(named->names[i]);
}

static void directory_free(
	void *parent, void *held, CRYPTO_EX_DATA *data, int index, long number, void *arg)
{
	struct directory *directory = held;
	if (!directory)
		return;
	for (size_t i = 0; i < directory->n; i++)
		named_fini(&directory->items[i]);
	free(directory);
}

static bool is_for(const struct named *named, const char *name)
{
	for (size_t i = 0; i < named->names_n; i++) {
		if (server_name_matches(named->names[i], name))
			return true;
	}
	return false;
}

/* The client says whom it wants to talk to. A name that nobody has gets the default certificate,
 * which the client will not accept, unless it knows better. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct directory *directory =
		SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), directory_index);
	for (size_t i = 0; name && directory && i < directory->n; i++) {
		if (is_for(&directory->items[i], name)) {
			SSL_set_SSL_CTX(ssl, directory->items[i].context);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void add_name(struct named *named, const ASN1_IA5STRING *text)
{
	size_t n = (size_t)ASN1_STRING_length(text);
	const char *data = (const char *)ASN1_STRING_get0_data(text);
	if (named->names_n == NAMES_MAX || memchr(data, 0, n))
		return;
	char *copy = strndup(data, n);
	if (!copy)
		abort();
	named->names[named->names_n++] = copy;
}

static void read_names(struct named *named)
{
	const X509 *certificate = SSL_CTX_get0_certificate(named->context);
	GENERAL_NAMES *found = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(found); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(found, i);
		if (name->type == GEN_DNS)
			add_name(named, name->d.dNSName);
	}
	GENERAL_NAMES_free(found);
	ERR_clear_error();
}

static int is_certificate(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);
	return n > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 4, ".pem") == 0;
}

/* X.pem, in the order of their names; -1 with a logged reason. */
static int list(const char *directory, struct dirent ***entries)
{
	int n = *directory ? scandir(directory, entries, is_certificate, alphasort) : 0;
	if (n < 0 || n > NAMED_MAX)
		log_event(LOG_LEVEL_ERROR, "the directory of TLS certificates cannot be used",
			LOG_TEXT("file", directory),
			LOG_TEXT("reason", n < 0 ? strerror(errno) : "too many"));
	return n;
}

static void pair_paths(
	const char *directory, const char *name, char certificate[PATH_SIZE], char key[PATH_SIZE])
{
	(void)snprintf(certificate, PATH_SIZE, "%s/%s", directory, name);
	(void)snprintf(key, PATH_SIZE, "%s/%.*s.key", directory, (int)strlen(name) - 4, name);
}

static bool load_named(
	struct directory *directory, const struct tls_settings *settings, const char *name)
{
	char certificate[PATH_SIZE], key[PATH_SIZE];
	struct named *named = &directory->items[directory->n];
	pair_paths(settings->directory, name, certificate, key);
	named->context = context_new(settings, certificate, key);
	if (!named->context)
		return false;
	directory->n++; /* from here on it is freed with the others */
	read_names(named);
	return true;
}

static bool load_directory(SSL_CTX *context, const struct tls_settings *settings)
{
	struct dirent **entries = NULL;
	int n = list(settings->directory, &entries);
	bool is_good = n >= 0 && n <= NAMED_MAX;
	struct directory *directory = calloc(1, sizeof *directory);
	if (!directory || SSL_CTX_set_ex_data(context, directory_index, directory) != 1)
		abort();
	for (int i = 0; i < n; i++) {
		is_good = is_good && load_named(directory, settings, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	return is_good;
}

/* ---- the whole ---- */

struct tls_identity *tls_identity_load(const struct tls_settings *settings)
{
	if (directory_index < 0)
		directory_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, directory_free);
	SSL_CTX *context = context_new(settings, settings->certificate, settings->key);
	if (context && !load_directory(context, settings)) {
		SSL_CTX_free(context);
		return NULL;
	}
	return (struct tls_identity *)context;
}

void tls_identity_free(struct tls_identity *identity)
{
	SSL_CTX_free((SSL_CTX *)identity); /* streams hold their own reference */
}

uint64_t tls_identity_stamp(const struct tls_settings *settings)
{
	uint64_t hash = FILE_STAMP_NONE;
	struct dirent **entries = NULL;
	hash = file_stamp(hash, settings->certificate);
	hash = file_stamp(hash, settings->key);
	hash = file_stamp(hash, settings->client_ca);
	int n = *settings->directory
		? scandir(settings->directory, &entries, is_certificate, alphasort)
		: 0;
	for (int i = 0; i < n; i++) {
		char certificate[PATH_SIZE], key[PATH_SIZE];
		pair_paths(settings->directory, entries[i]->d_name, certificate, key);
		hash = file_stamp(file_stamp(hash, certificate), key);
		free(entries[i]);
	}
	free(entries);
	return hash;
}
