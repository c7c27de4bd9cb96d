-- Contracts: what the operator has of a customer, from its beginning to the certificate of its end.
--
-- A contract is a row of the operator's own tenant and names the tenant that it opened; everything else belongs to
-- the customer's tenant. Which state may follow which is a table in services/provisioning/lifecycle.c; here stands
-- only what is no state at all.

SELECT tenancy.service('provisioning');
SELECT tenancy.intents('provisioning');

CREATE TABLE provisioning.contract (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	customer_tenant_id uuid NOT NULL,
	code text NOT NULL,
	name text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	version bigint NOT NULL DEFAULT 1, -- rises with every change; the ETag
	state text NOT NULL DEFAULT 'active'
		CHECK (state IN ('active', 'suspended', 'closed', 'grace', 'purging', 'erased')),
	state_since timestamptz, -- NULL: since created_at
	reason text, -- of the latest change
	due_at timestamptz, -- when the next state follows by itself
	hold_reason text,
	hold_since timestamptz,
	-- How far the purge is, and what came of it.
	purge_step integer NOT NULL DEFAULT 0, -- done so far; services/provisioning/purge.c names them
	waits_for text, -- replicas of the keyring that are away, of which its keys are not gone
	erased_keys text, -- as in the ledger (libcommon/erasure.h)
	erased_keys_at timestamptz,
	ledger_hash text,
	erased_event_id uuid, -- in the operator's log
	certificate text, -- of the erasure, signed (services/audit/certificate.c)
	-- How long the time of grace will be, as it was when the contract was closed: what somebody was told stays true
	-- when the option changes. NULL: not closed.
	grace_days integer CHECK (grace_days >= 0),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, customer_tenant_id),
	CONSTRAINT contract_hold_check CHECK ((hold_reason IS NULL) = (hold_since IS NULL)),
	CONSTRAINT contract_due_check CHECK ((due_at IS NOT NULL) = (state IN ('closed', 'grace')))
);
SELECT tenancy.protect('provisioning.contract');
-- The code of an erased contract may be given to the next one: a school that comes back wants its own.
CREATE UNIQUE INDEX contract_code ON provisioning.contract (tenant_id, lower(code)) WHERE state <> 'erased';
CREATE INDEX contract_due ON provisioning.contract (tenant_id, due_at) WHERE due_at IS NOT NULL;
CREATE POLICY functions ON provisioning.contract FOR SELECT TO manabiya_owner USING (true);
SELECT tenancy.unwatch('provisioning', 'contract', '{UPDATE}', '{purge_step,waits_for,erased_keys,erased_keys_at,ledger_hash}',
	'how far a purge is; its beginning and its end are events');

CREATE TABLE provisioning.contract_store (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	contract_id uuid NOT NULL,
	store text NOT NULL,
	removed bigint NOT NULL,
	PRIMARY KEY (tenant_id, contract_id, store),
	FOREIGN KEY (tenant_id, contract_id) REFERENCES provisioning.contract
);
SELECT tenancy.protect('provisioning.contract_store');
SELECT tenancy.unwatch('provisioning', 'contract_store', '{INSERT,UPDATE}', NULL, 'what a purge has counted; the certificate says it');

-- The contract of the entered tenant; the row is the operator's.
CREATE FUNCTION provisioning.own_contract()
RETURNS TABLE (state text, due_at timestamptz, grace_days integer, held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.state, k.due_at, k.grace_days, k.hold_since IS NOT NULL FROM provisioning.contract k
	WHERE k.customer_tenant_id = (SELECT tenancy.tenant())
$$;
-- Since when the entered tenant's contract is held, so that nothing goes; NULL: it is not.
CREATE FUNCTION provisioning.held_since() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT max(k.hold_since) FROM provisioning.contract k WHERE k.customer_tenant_id = (SELECT tenancy.tenant())
$$;

SELECT tenancy.offer('provisioning', 'own_contract()'), tenancy.offer('provisioning', 'held_since()');

-- auth was asked to let somebody in, or out, and what the contract or the user is here has not been committed with it
-- (services/provisioning/access_ask.c): a row that stays is of a change that failed half way.
CREATE TABLE provisioning.access_ask (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(), -- whose row the contract or the user is
	id uuid NOT NULL,
	kind text NOT NULL CHECK (kind IN ('contract', 'user')),
	asked_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('provisioning.access_ask');
SELECT tenancy.unwatch('provisioning', 'access_ask', '{INSERT,UPDATE,DELETE}', NULL,
	'what auth is being asked; auth and the change have their events');
CREATE POLICY functions ON provisioning.access_ask FOR SELECT TO manabiya_owner USING (true);
-- A change that is under way holds the lock that whoever looks has to wait for: most are over by then.
CREATE FUNCTION provisioning.access_ask_next(after uuid) RETURNS TABLE (tenant_id uuid, id uuid, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.tenant_id, a.id, a.kind FROM provisioning.access_ask a WHERE a.asked_at < now() - interval '10 seconds'
	ORDER BY a.id <= after, a.id LIMIT 1
$$;
SELECT tenancy.offer('provisioning', 'access_ask_next(uuid)');

-- The roots that tenants' keys were put under, the latest last. Rows of the operator's own tenant: names that say
-- nothing of what they name (keyring_root_name()).
CREATE TABLE provisioning.key_root (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	name text NOT NULL CHECK (name ~ '^(local|aws-kms):[0-9a-f]{32}$'),
	used_since timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, name)
);
SELECT tenancy.protect('provisioning.key_root');

-- Which version of whose key still has something under it (services/provisioning/key_end.c). Rows of the
-- operator's own tenant: ids and counts, of nobody's people.
CREATE TABLE provisioning.key_version (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	customer_tenant_id uuid NOT NULL,
	version integer NOT NULL,
	tried_at timestamptz NOT NULL, -- to count; a service that is away does not keep others waiting
	counted_at timestamptz, -- by every service
	sealed bigint,
	empty_since timestamptz, -- nothing under it needs the key any more
	destroying_at timestamptz, -- decided; the key may be gone already
	destroyed_at timestamptz,
	waits_for text, -- replicas of the keyring in which the key may still be
	fingerprint text, -- of the key's file, as in its receipt
	PRIMARY KEY (tenant_id, customer_tenant_id, version)
);
SELECT tenancy.protect('provisioning.key_version');
SELECT tenancy.unwatch('provisioning', 'key_version', '{INSERT,UPDATE}', NULL, 'what still lies under an old key; its end is an event');
