-- The end of a contract: which states it goes through, since when, why, and what stops it.
--
-- Which state may follow which is a table in services/provisioning/lifecycle.c; here stands only what is
-- no state at all.

ALTER TABLE provisioning.contract
	-- Rises with every change; the ETag.
	ADD COLUMN version bigint NOT NULL DEFAULT 1,
	ADD COLUMN state text NOT NULL DEFAULT 'active'
		CHECK (state IN ('active', 'suspended', 'closed', 'grace', 'purging', 'erased')),
	ADD COLUMN state_since timestamptz, -- NULL: since created_at
	ADD COLUMN reason text, -- of the latest change
	ADD COLUMN due_at timestamptz, -- when the next state follows by itself
	ADD COLUMN hold_reason text,
	ADD COLUMN hold_since timestamptz,
	ADD CONSTRAINT contract_hold_check CHECK ((hold_reason IS NULL) = (hold_since IS NULL)),
	ADD CONSTRAINT contract_due_check CHECK ((due_at IS NOT NULL) = (state IN ('closed', 'grace')));
CREATE INDEX contract_due ON provisioning.contract (tenant_id, due_at) WHERE due_at IS NOT NULL;

-- The code of an erased contract may be given to the next one: a school that comes back wants its own.
DROP INDEX provisioning.contract_code;
CREATE UNIQUE INDEX contract_code ON provisioning.contract (tenant_id, lower(code)) WHERE state <> 'erased';

-- Nobody of a tenant that is shut logs in or gets a capability.
ALTER TABLE auth.tenant ADD COLUMN shut_at timestamptz;
