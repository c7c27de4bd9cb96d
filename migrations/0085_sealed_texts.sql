-- What pupils and teachers write lies sealed (libcommon/personal.h); the database refuses it in the clear.
-- Rows from before cannot be sealed here, where no key is: the migration stops at them.

-- Format 1, a key of the tenant, its version, nonce and tag: 46 bytes at least, as base64url.
CREATE FUNCTION tenancy.is_sealed(value text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN value ~ '^AQAA[A-Za-z0-9_-]{58,}$';
GRANT EXECUTE ON FUNCTION tenancy.is_sealed TO PUBLIC;

ALTER TABLE learning.goal ADD CHECK (tenancy.is_sealed(goal));
ALTER TABLE learning.comment ADD CHECK (tenancy.is_sealed(text));
ALTER TABLE learning.evaluation ADD CHECK (tenancy.is_sealed(note));
ALTER TABLE learning.reflection ADD CHECK (tenancy.is_sealed(text));
