-- Who may see which row, and the three tables that every service has.
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

-- Create what every service has: its schema, and the tables outbox, inbox, idempotency.
CREATE FUNCTION tenancy.service(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $service$
DECLARE
	role text := 'manabiya_' || name;
	routine text;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', name);
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', name, role);

	-- What must reach another service exactly when this transaction commits. `id` is not the order
	-- of commits: a reader that remembers an id loses rows. `xid` is compared with the oldest
	-- transaction still running instead.
	EXECUTE format($sql$
		CREATE TABLE %1$I.outbox (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
			tenant_id uuid DEFAULT tenancy.tenant(),
			consumer text NOT NULL,
			kind text NOT NULL CHECK (kind IN ('audit', 'event')),
			type text NOT NULL,
			event_id uuid NOT NULL,
			body text NOT NULL,
			created_at timestamptz NOT NULL DEFAULT now(),
			attempts integer NOT NULL DEFAULT 0,
			due_at timestamptz NOT NULL DEFAULT now(),
			dead_reason text,
			CHECK (tenant_id IS NOT NULL OR kind = 'audit')
		) WITH (fillfactor = 70)$sql$, name); -- taking a row updates it in place
	EXECUTE format('CREATE INDEX ON %I.outbox (consumer, xid, id) WHERE dead_reason IS NULL', name);
	EXECUTE format('ALTER TABLE %I.outbox ENABLE ROW LEVEL SECURITY', name);
	EXECUTE format('ALTER TABLE %I.outbox FORCE ROW LEVEL SECURITY', name);
	-- A refused login has an audit row and no tenant.
	EXECUTE format($sql$CREATE POLICY tenant ON %I.outbox FOR INSERT WITH CHECK (
		tenant_id = (SELECT e.tenant_id FROM tenancy.entered e) OR (tenant_id IS NULL AND kind = 'audit'))$sql$, name);
	EXECUTE format('CREATE POLICY relay ON %I.outbox TO manabiya_owner USING (true) WITH CHECK (true)', name);
	EXECUTE format('GRANT INSERT (consumer, kind, type, event_id, body) ON %I.outbox TO %I', name, role);

	-- The relay's functions see every tenant; handlers have no SELECT on the table. Each consumer has
	-- its own `most` rows, so that what waits for a dead one stands in nobody's way. A row that was
	-- taken is not due again for 30 seconds: longer than a batch may take, so that a relay which died
	-- is followed by another.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_take(most integer)
		RETURNS TABLE (id bigint, tenant_id uuid, consumer text, kind text, type text, event_id uuid,
			body text, created_at text, attempts integer)
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			WITH RECURSIVE consumer AS ( -- DISTINCT would read every row
				(SELECT o.consumer AS name FROM %1$I.outbox o WHERE o.dead_reason IS NULL
				ORDER BY o.consumer LIMIT 1)
				UNION ALL
				SELECT (SELECT o.consumer FROM %1$I.outbox o
					WHERE o.dead_reason IS NULL AND o.consumer > k.name ORDER BY o.consumer LIMIT 1)
				FROM consumer k WHERE k.name IS NOT NULL
			), due AS (
				SELECT r.id FROM consumer k, LATERAL (
					SELECT o.id FROM %1$I.outbox o
					WHERE o.consumer = k.name AND o.dead_reason IS NULL
						AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
						AND o.due_at <= clock_timestamp()
					ORDER BY o.xid, o.id LIMIT most FOR UPDATE SKIP LOCKED) r
			), taken AS (
				UPDATE %1$I.outbox o SET due_at = clock_timestamp() + interval '30 seconds'
				FROM due WHERE o.id = due.id RETURNING o.*
			)
			SELECT t.id, t.tenant_id, t.consumer, t.kind, t.type, t.event_id, t.body,
				tenancy.stamp(t.created_at), t.attempts
			FROM taken t ORDER BY t.xid, t.id
		$body$$sql$, name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_done(ids bigint[]) RETURNS void
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			DELETE FROM %1$I.outbox o WHERE o.id = ANY (ids)
		$body$$sql$, name);
	-- The consumer was certainly not reached: that says nothing about the row, so it does not count.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_wait(ids bigint[]) RETURNS void
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			UPDATE %1$I.outbox o SET due_at = clock_timestamp() + interval '2 seconds'
			WHERE o.id = ANY (ids)
		$body$$sql$, name);
	-- 1 s, 2 s, 4 s … 5 min; after 12 attempts, 23 minutes, the row waits for a person.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_put_off(ids bigint[], reason text) RETURNS void
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			UPDATE %1$I.outbox o SET attempts = o.attempts + 1,
				due_at = clock_timestamp() + least(interval '1 second' * 2 ^ o.attempts, interval '5 minutes'),
				dead_reason = CASE WHEN o.attempts + 1 >= 12 THEN left(reason, 200) END
			WHERE o.id = ANY (ids)
		$body$$sql$, name);

	-- Event ids that took effect here.
	EXECUTE format($sql$
		CREATE TABLE %1$I.inbox (
			tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
			event_id uuid NOT NULL,
			taken_at timestamptz NOT NULL DEFAULT now(),
			PRIMARY KEY (tenant_id, event_id)
		)$sql$, name);
	EXECUTE format('SELECT tenancy.protect(%L)', format('%I.inbox', name));

	-- What was answered to a request with an Idempotency-Key, written in the transaction of its effect.
	EXECUTE format($sql$
		CREATE TABLE %1$I.idempotency (
			tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
			user_id text NOT NULL,
			operation text NOT NULL,
			key text NOT NULL,
			fingerprint text NOT NULL,
			status integer,
			headers text,
			content_type text,
			body text,
			created_at timestamptz NOT NULL DEFAULT now(),
			PRIMARY KEY (tenant_id, user_id, operation, key)
		)$sql$, name);
	EXECUTE format('CREATE INDEX ON %I.idempotency (created_at)', name);
	EXECUTE format('SELECT tenancy.protect(%L)', format('%I.idempotency', name));
	EXECUTE format('CREATE POLICY expire ON %I.idempotency TO manabiya_owner USING (true)', name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.idempotency_expire() RETURNS bigint
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			WITH gone AS (
				DELETE FROM %1$I.idempotency i WHERE i.created_at < now() - interval '24 hours' RETURNING 1
			)
			SELECT count(*) FROM gone
		$body$$sql$, name);

	FOREACH routine IN ARRAY ARRAY['outbox_take(integer)', 'outbox_done(bigint[])',
		'outbox_wait(bigint[])', 'outbox_put_off(bigint[], text)', 'idempotency_expire()']
	LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %I.%s FROM PUBLIC', name, routine);
		EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%s TO %I', name, routine, role);
	END LOOP;
END
$service$;
REVOKE ALL ON FUNCTION tenancy.service(text) FROM PUBLIC;
