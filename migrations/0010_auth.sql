-- Accounts and sessions: who is this, and is the session still alive.
--
-- A login knows no tenant yet. Two functions find it, by the school's code and by the hash of a
-- session token; they tell nothing but its id, and whoever calls them still has to prove the tenant
-- (tenancy.tenant()) before he sees a row. They run as the owner, to whom forced row security
-- applies too: the policies `lookup` and `expire` are for them alone.

SELECT tenancy.service('auth');

CREATE TABLE auth.tenant (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	code text NOT NULL,
	-- Compared with =, which is leakproof, so that row security does not keep the index from use.
	code_key text NOT NULL GENERATED ALWAYS AS (lower(code)) STORED,
	name text NOT NULL,
	denied text[] NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	source_ranges text[] NOT NULL DEFAULT '{}', -- from where its people may come; empty: from everywhere
	shut_at timestamptz, -- nobody of it logs in or gets a capability
	is_closed boolean NOT NULL DEFAULT false, -- then its administrators do, who may take its export away
	PRIMARY KEY (tenant_id)
);
SELECT tenancy.protect('auth.tenant');
-- Not per tenant: the code is how people name the tenant.
CREATE UNIQUE INDEX tenant_code ON auth.tenant (code_key);
CREATE POLICY lookup ON auth.tenant FOR SELECT TO manabiya_owner USING (true);

CREATE TABLE auth.account (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	role text NOT NULL CHECK (role IN ('operator', 'contractor', 'instructor', 'student')),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
	denied text[] NOT NULL DEFAULT '{}',
	password bytea, -- Argon2id, sealed
	secret_hash bytea, -- the one-time secret until it is replaced by a password
	secret_expires_at timestamptz,
	secret_used_at timestamptz,
	-- Rises with every change that a login under way has to notice.
	version integer NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	-- Login names are kept nowhere here: a keyed hash, under a key of the tenant that no backup of the database holds.
	login_index text CHECK (login_index ~ '^[A-Za-z0-9_-]{43}$'),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id) REFERENCES auth.tenant,
	CHECK ((secret_hash IS NULL) = (secret_expires_at IS NULL)),
	-- The provider's own people live in the provider's own tenant only.
	CHECK (role <> 'operator' OR tenant_id = '00000000-0000-7000-8000-000000000001'),
	CHECK (status = 'deleted' OR login_index IS NOT NULL)
);
SELECT tenancy.protect('auth.account');
CREATE UNIQUE INDEX account_login ON auth.account (tenant_id, login_index);
CREATE POLICY lookup ON auth.account FOR SELECT TO manabiya_owner USING (role = 'operator');

CREATE TABLE auth.session (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	user_id uuid NOT NULL,
	token_hash bytea NOT NULL CHECK (length(token_hash) = 32), -- SHA-256; the token is kept nowhere
	bearer boolean NOT NULL, -- the token was handed over in the body, not as a cookie
	initial boolean NOT NULL, -- begun with a one-time secret that is still to be replaced
	created_at timestamptz NOT NULL,
	last_seen_at timestamptz NOT NULL,
	idle_expires_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	revoked_at timestamptz,
	authenticated_at timestamptz DEFAULT now(), -- when the password was last proven: what is dangerous asks for it again
	factors smallint NOT NULL DEFAULT 1 CHECK (factors IN (1, 2)), -- that were proven when it began
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES auth.account
);
SELECT tenancy.protect('auth.session');
-- Not per tenant: the hash of 256 random bits is how a session is found.
CREATE UNIQUE INDEX session_token ON auth.session (token_hash);
CREATE INDEX session_of_user ON auth.session (tenant_id, user_id) WHERE revoked_at IS NULL;
CREATE INDEX session_end ON auth.session (expires_at);
CREATE POLICY lookup ON auth.session FOR SELECT TO manabiya_owner USING (true);
CREATE POLICY expire ON auth.session FOR DELETE TO manabiya_owner USING (true);
SELECT tenancy.unwatch('auth', 'session', '{UPDATE}', '{last_seen_at,idle_expires_at}', 'that somebody is still there');

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

-- Failed attempts by a keyed hash of what was typed, whether or not such an account exists: or being
-- told to wait would tell that it does.
CREATE TABLE auth.throttle (
	subject bytea PRIMARY KEY,
	failures integer NOT NULL,
	next_attempt_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL
);
CREATE INDEX throttle_age ON auth.throttle (updated_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.throttle TO manabiya_auth;

CREATE FUNCTION auth.tenant_find(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT t.tenant_id FROM auth.tenant t WHERE t.code_key = lower(wanted)
$$;

CREATE FUNCTION auth.session_find(wanted bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT s.tenant_id FROM auth.session s WHERE s.token_hash = wanted
$$;

CREATE FUNCTION auth.has_operator() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT EXISTS (SELECT FROM auth.account a WHERE a.role = 'operator')
$$;

-- Ended sessions stay a day, so that a revocation can still be looked into.
CREATE FUNCTION auth.expire() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	DELETE FROM auth.throttle t WHERE t.updated_at < now() - interval '1 day';
	SELECT tenancy.upkeep('auth', 'session', 'DELETE');
	WITH gone AS (
		DELETE FROM auth.session s WHERE s.expires_at < now() - interval '1 day' RETURNING 1
	)
	SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION auth.tenant_find(text), auth.session_find(bytea), auth.has_operator(), auth.expire()
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.tenant_find(text), auth.session_find(bytea), auth.has_operator(), auth.expire()
	TO manabiya_auth;
