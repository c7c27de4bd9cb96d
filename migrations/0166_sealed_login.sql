-- Login names lie sealed under the key of the person they name; who they are is found by a keyed hash. The
-- provider keeps no login name of a customer's. Rows from before cannot be sealed here, where no key is: the
-- migration stops at them.

ALTER TABLE provisioning.person
	DROP COLUMN username_key,
	DROP COLUMN username,
	ADD COLUMN login text NOT NULL CHECK (tenancy.is_sealed(login)),
	ADD COLUMN login_index text NOT NULL CHECK (login_index ~ '^[A-Za-z0-9_-]{43}$'),
	ADD UNIQUE (tenant_id, login_index);

-- It watches all columns but a few, this one among them; after the migration it is made again (tenancy.watch).
DROP TRIGGER ledger_update ON provisioning.contract;
ALTER TABLE provisioning.contract DROP COLUMN administrator_username;
