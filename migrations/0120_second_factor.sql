-- The second factor of staff: codes from an authenticator app (RFC 6238), and recovery codes for the day it is lost.

CREATE TABLE auth.totp (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	user_id uuid NOT NULL,
	secret bytea NOT NULL, -- sealed
	confirmed_at timestamptz, -- NULL: shown, and not yet proven to have arrived in an app
	last_step bigint NOT NULL DEFAULT 0, -- the newest code that was used: none of it or before is good again
	PRIMARY KEY (tenant_id, user_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES auth.account
);
SELECT tenancy.protect('auth.totp');

CREATE TABLE auth.recovery_code (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	user_id uuid NOT NULL,
	code_hash bytea NOT NULL, -- keyed; the code is kept nowhere
	PRIMARY KEY (tenant_id, user_id, code_hash),
	FOREIGN KEY (tenant_id, user_id) REFERENCES auth.totp ON DELETE CASCADE
);
SELECT tenancy.protect('auth.recovery_code');

-- How many factors were proven when the session began. Sessions from before have one.
ALTER TABLE auth.session ADD COLUMN factors smallint NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
