/*
 * Certificates of erasure: signed, and proven by the log that they name.
 *
 * The key that is asked for may be that of the operator's log or of the erased tenant's: both sign.
 * The proof inside is of the operator's log, which the same key signs under that log's name.
 */
#include <string.h>

#include "verify/verify.h"

#define HEAD "manabiya-erasure-certificate@v1\n"

/* What follows the first line that begins with `name`, up to its end; NULL without. */
static const char *value_of(struct arena *arena, const char *text, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		if (strncmp(line, name, n) == 0)
			return arena_strndup(arena, line + n, strcspn(line + n, "\n"));
		if (!strchr(line, '\n'))
			break;
	}
	return NULL;
}

/* The lines behind their marks, as the file that they were. */
static const char *proof_of(struct arena *arena, const char *text)
{
	struct buf out = { .arena = arena };
	buf_text(&out, "");
	for (const char *line = text; (line = strstr(line, "\n> ")); line += 3)
		buf_printf(&out, "%.*s\n", (int)strcspn(line + 3, "\n"), line + 3);
	return out.data;
}

static const struct note_verifier *signer_of(const struct request *request, const struct note *note)
{
	for (size_t i = 0; i < request->keys_n; i++)
		if (note_is_signed(request->arena, note, &request->keys[i], NULL))
			return &request->keys[i];
	return NULL;
}

struct certificate {
	const char *log, *tenant, *at, *event;
	const char *contract, *user; /* one of them */
};

static bool read_certificate(struct arena *arena, const char *text, struct certificate *out)
{
	if (strncmp(text, HEAD, strlen(HEAD)) != 0)
		return false;
	*out = (struct certificate){
		.log = value_of(arena, text, "log "),
		.tenant = value_of(arena, text, "tenant "),
		.contract = value_of(arena, text, "contract "),
		.user = value_of(arena, text, "user "),
		.at = value_of(arena, text, "keys-destroyed "),
		.event = value_of(arena, text, "event "),
	};
	return out->log && note_is_name(out->log) && out->tenant && !out->contract == !!out->user &&
		out->at && out->event;
}

/* It must be this contract's or this user's erasure that the log has, not some other event. */
static bool is_its_event(struct arena *arena, const struct certificate *of)
{
	const char *operation = of->contract ? "\"operation\":\"provisioning.contract_erase\""
					     : "\"operation\":\"provisioning.user_erase\"";
	const char *subject = of->contract
		? arena_printf(arena, "\"entity\":{\"uid\":\"%s\"}", of->contract)
		: arena_printf(arena, "\"user\":{\"uid\":\"%s\"}", of->user);
	return strstr(of->event, operation) && strstr(of->event, subject);
}

enum finding check_certificate(struct request *request)
{
	struct note note;
	struct certificate certificate;
	const char *text = input_text(request, request->file);
	if (!text)
		return found(request, UNREADABLE, "%s", request->file);
	if (note_read(request->arena, text, strlen(text), &note) ||
		!read_certificate(request->arena, note.text, &certificate))
		return found(request, MALFORMED, "%s", request->file);
	const struct note_verifier *signer = signer_of(request, &note);
	if (!signer)
		return found(request, UNSIGNED, "%s", request->file);
	if (!is_its_event(request->arena, &certificate))
		return found(request, NOT_IN_LOG, "%s",
			certificate.contract ? certificate.contract : certificate.user);
	const char *proof = proof_of(request->arena, note.text);
	request->keys[0] = note_verifier_of(certificate.log, NOTE_ED25519, signer->public_key);
	request->keys_n = 1;
	enum finding finding = check_line(request,
		(struct bytes){
			(const unsigned char *)certificate.event, strlen(certificate.event) },
		proof, request->file);
	return finding != GOOD ? finding
			       : found(request, GOOD, "%s%s%s, %s", certificate.tenant,
					 certificate.user ? ", " : "",
					 certificate.user ? certificate.user : "", certificate.at);
}
