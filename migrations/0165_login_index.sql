-- auth keeps no login names: an account is found by a keyed hash of its name, under a key of the tenant
-- that no backup of the database holds. Rows from before cannot be hashed here, where no key is: the
-- migration stops at them.

DO $$ BEGIN
	IF EXISTS (SELECT FROM auth.account) THEN
		RAISE EXCEPTION 'login names from before cannot be hashed without their keys';
	END IF;
END $$;

ALTER TABLE auth.account
	DROP COLUMN username_key,
	DROP COLUMN username,
	ADD COLUMN login_index text CHECK (login_index ~ '^[A-Za-z0-9_-]{43}$'),
	ADD CHECK (status = 'deleted' OR login_index IS NOT NULL);
CREATE UNIQUE INDEX account_login ON auth.account (tenant_id, login_index);
