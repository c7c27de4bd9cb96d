-- Who may see which row.
--
-- Isolation does not trust the application: a policy asks tenancy.entered, which believes the
-- setting app.tenant only with a MAC that auth made. An injected statement can change the setting,
-- but cannot make it say another tenant.
--
-- manabiyactl runs this file as the connecting superuser and every later one as manabiya_owner.

DO $$
DECLARE
	service text;
BEGIN
	-- Roles belong to the cluster: another database may have made them.
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'manabiya_owner') THEN
		CREATE ROLE manabiya_owner NOLOGIN;
	END IF;
	FOREACH service IN ARRAY '{auth,provisioning,learning,notification,audit}'::text[] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'manabiya_' || service) THEN
			EXECUTE format('CREATE ROLE %I LOGIN NOBYPASSRLS', 'manabiya_' || service);
		END IF;
	END LOOP;
	EXECUTE format('GRANT CREATE ON DATABASE %I TO manabiya_owner', current_database());
END
$$;

SET LOCAL ROLE manabiya_owner;

CREATE SCHEMA tenancy;
GRANT USAGE ON SCHEMA tenancy
	TO manabiya_auth, manabiya_provisioning, manabiya_learning, manabiya_notification, manabiya_audit;

CREATE TABLE tenancy.migration (
	number integer PRIMARY KEY,
	name text NOT NULL,
	sha256 text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);

-- The MAC key as HMAC uses it: xored with the two pads of RFC 2104 once, not at every statement.
-- Nobody but the owner may read it: no grant, ever.
CREATE TABLE tenancy.mac_key (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
	outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64)
);

CREATE FUNCTION tenancy.pad(key bytea, byte integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
DECLARE
	padded bytea := key || decode(repeat('00', 64 - length(key)), 'hex');
BEGIN
	FOR i IN 0..63 LOOP
		padded := set_byte(padded, i, get_byte(padded, i) # byte);
	END LOOP;
	RETURN padded;
END
$$;
REVOKE ALL ON FUNCTION tenancy.pad(bytea, integer) FROM PUBLIC;

CREATE FUNCTION tenancy.set_mac_key(key bytea) RETURNS void
LANGUAGE sql SET search_path = pg_catalog AS $$
	INSERT INTO tenancy.mac_key (inner_pad, outer_pad) VALUES (tenancy.pad(key, 54), tenancy.pad(key, 92))
	ON CONFLICT (one) DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad
$$;
REVOKE ALL ON FUNCTION tenancy.set_mac_key(bytea) FROM PUBLIC;

-- The tenant that app.tenant proves, or NULL: unset, '', expired, forged.
--
-- app.tenant is `<uuid>.<expiry, unix seconds>.<hex HMAC-SHA-256 of what stands before>`, of fixed
-- width (36 + 1 + 10 + 1 + 64), so it is cut by place. Nothing is read from it before the MAC is
-- right, and the MAC is compared by hashes, so that time does not tell how much of a guess is right.
-- CURRENT_TIMESTAMP is the transaction's start: a transaction sees one tenant to its end.
--
-- A view, because it reads the key with its owner's rights, its names are bound when it is made, and
-- the planner puts it into the query: about 9 us of CPU per table and statement. As a function with
-- its owner's rights the same check costs 24 us.
CREATE VIEW tenancy.entered WITH (security_barrier = true) AS
SELECT CASE WHEN sha256(convert_to(substr(setting.claim, 49), 'UTF8')) = sha256(convert_to(encode(
		sha256(key.outer_pad || sha256(key.inner_pad || convert_to(left(setting.claim, 47), 'UTF8'))),
		'hex'), 'UTF8'))
	THEN CASE WHEN to_timestamp(substr(setting.claim, 38, 10)::float8) > CURRENT_TIMESTAMP
		THEN left(setting.claim, 36)::uuid END END AS tenant_id
FROM tenancy.mac_key key,
	LATERAL (SELECT current_setting('app.tenant', true) AS claim) setting;
GRANT SELECT ON tenancy.entered
	TO manabiya_auth, manabiya_provisioning, manabiya_learning, manabiya_notification, manabiya_audit;

-- The same where a subquery may not stand, as in DEFAULT. Policies ask the view.
CREATE FUNCTION tenancy.tenant() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	RETURN (SELECT e.tenant_id FROM tenancy.entered e);
END
$$;
REVOKE ALL ON FUNCTION tenancy.tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.tenant()
	TO manabiya_auth, manabiya_provisioning, manabiya_learning, manabiya_notification, manabiya_audit;

-- A moment as the API writes it: 2026-04-08T00:30:00.000Z. Immutable, because it names its zone.
CREATE FUNCTION tenancy.stamp(moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Put a tenant table of a service's schema under forced row security, and give its service the rows.
CREATE FUNCTION tenancy.protect(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	service text := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = relation);
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
	EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
	EXECUTE format('CREATE POLICY tenant ON %s USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e))'
		' WITH CHECK (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e))', relation);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', relation, 'manabiya_' || service);
END
$$;
REVOKE ALL ON FUNCTION tenancy.protect(regclass) FROM PUBLIC;

-- Put a table that its service may only read under forced row security: functions of the owner write it.
CREATE FUNCTION tenancy.protect_readonly(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	service text := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = relation);
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
	EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
	EXECUTE format('CREATE POLICY tenant ON %s FOR SELECT TO %I USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e))',
		relation, 'manabiya_' || service);
	EXECUTE format('CREATE POLICY functions ON %s TO manabiya_owner USING (true) WITH CHECK (true)', relation);
	EXECUTE format('GRANT SELECT ON %s TO %I', relation, 'manabiya_' || service);
END
$$;
REVOKE ALL ON FUNCTION tenancy.protect_readonly(regclass) FROM PUBLIC;

-- And one that its service does not even see.
CREATE FUNCTION tenancy.hide(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
	EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
	EXECUTE format('CREATE POLICY functions ON %s TO manabiya_owner USING (true) WITH CHECK (true)', relation);
END
$$;
REVOKE ALL ON FUNCTION tenancy.hide(regclass) FROM PUBLIC;

-- A function of the owner that a service may call, and nobody else.
CREATE FUNCTION tenancy.offer(service text, routine text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format('REVOKE ALL ON FUNCTION %I.%s FROM PUBLIC', service, routine);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%s TO %I', service, routine, 'manabiya_' || service);
END
$$;
REVOKE ALL ON FUNCTION tenancy.offer(text, text) FROM PUBLIC;

-- What people write, and their names, lie sealed (libcommon/personal.h), under a key of the tenant or of the one
-- user whom it is about; the database refuses it in the clear. Format 1; then kind 0, version, nonce and tag: 46
-- bytes at least; or kind 1 with a user's id: 62. As base64url.
CREATE FUNCTION tenancy.is_sealed(value text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN value ~ '^AQ(AA[A-Za-z0-9_-]{58,}|EA[A-Za-z0-9_-]{79,})$';

-- The day in Japan, where the schools are.
CREATE FUNCTION tenancy.today() RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT (CURRENT_TIMESTAMP AT TIME ZONE 'Asia/Tokyo')::date
$$;
