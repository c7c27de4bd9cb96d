-- A sealed text is under a key of its tenant or of the one user whom it is about (libcommon/personal.h).

-- Format 1; then kind 0, version, nonce and tag: 46 bytes at least; or kind 1 with a user's id: 62.
CREATE OR REPLACE FUNCTION tenancy.is_sealed(value text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN value ~ '^AQ(AA[A-Za-z0-9_-]{58,}|EA[A-Za-z0-9_-]{79,})$';
