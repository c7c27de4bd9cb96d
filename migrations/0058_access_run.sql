-- Which accesses are missing: the gateway keeps them in memory until they are here, so what it held is lost when
-- it is killed. That cannot be helped by a process without a disk; it can be named.
--
-- Each start of a gateway is a run. Before it answers a tenant's first read of what has a class it notes
-- that here, and a run that has handed in all it had says that it has ended. One that falls silent without that is
-- a gap (0055_completeness.sql) of each tenant that it has read for, and of the operator; so are batches that the
-- run has handed in and that are not here, as after a restore.

CREATE TABLE audit.access_run (
	run_id uuid PRIMARY KEY,
	stored bigint NOT NULL DEFAULT 0, -- batches of it
	told_at timestamptz NOT NULL DEFAULT now(),
	looked_at timestamptz NOT NULL DEFAULT now(),
	silent_s double precision NOT NULL DEFAULT 0, -- since told_at, as far as somebody looked
	is_named boolean NOT NULL DEFAULT false, -- that it is silent
	ended_at timestamptz
) WITH (fillfactor = 50);
ALTER TABLE audit.access_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.access_run FORCE ROW LEVEL SECURITY;
CREATE POLICY functions ON audit.access_run TO manabiya_owner USING (true) WITH CHECK (true);

-- For whom a run has read.
CREATE TABLE audit.access_reader (
	tenant_id uuid NOT NULL,
	run_id uuid NOT NULL REFERENCES audit.access_run ON DELETE CASCADE,
	PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX access_reader_run ON audit.access_reader (run_id);
SELECT tenancy.hide('audit.access_reader');

-- An id that stands in the order of time among those that services make (RFC 9562, version 7).
CREATE FUNCTION audit.new_id() RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
	SELECT overlay(replace(gen_random_uuid()::text, '-', '') PLACING
		lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' FROM 1 FOR 13)::uuid
$$;

-- To whoever it may concern. As with effects, so many are kept that somebody has been told by then.
CREATE FUNCTION audit.name_accesses(run uuid, of_mark text, since timestamptz) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog AS $$
	WITH named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, operation, run_id, at)
		SELECT r.tenant_id, audit.new_id(), 'accesses_missing', 'gateway', of_mark, 'gateway.request', run, since
		FROM (SELECT r.tenant_id FROM audit.access_reader r WHERE r.run_id = run
			UNION SELECT '00000000-0000-7000-8000-000000000001') r
		WHERE (SELECT count(*) FROM audit.gap x WHERE x.tenant_id = r.tenant_id AND x.service = 'gateway') < 10000
		ORDER BY r.tenant_id ON CONFLICT DO NOTHING RETURNING 1
	)
	SELECT count(*) FROM named
$$;

-- The run is about to read for the tenant.
CREATE FUNCTION audit.access_open(run uuid, reader uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO audit.access_run (run_id) VALUES (run) ON CONFLICT DO NOTHING;
	INSERT INTO audit.access_reader (tenant_id, run_id) VALUES (reader, run) ON CONFLICT DO NOTHING;
$$;

-- A run tells something, in the transaction that stores it: how many batches it has handed in before, whether this
-- is one more, and whether it was the last. What comes again, and late, changes nothing. Returns new gaps.
CREATE FUNCTION audit.access_tell(run uuid, before bigint, is_batch boolean, is_end boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known record;
	gaps bigint := 0;
BEGIN
	INSERT INTO audit.access_run (run_id) VALUES (run) ON CONFLICT DO NOTHING;
	SELECT r.stored, r.told_at, r.ended_at INTO known FROM audit.access_run r WHERE r.run_id = run FOR UPDATE;
	IF known.ended_at IS NOT NULL THEN
		RETURN 0;
	END IF;
	IF before > known.stored THEN
		gaps := audit.name_accesses(run, run || '/' || known.stored || '-' || before, known.told_at);
	END IF;
	UPDATE audit.access_run r SET stored = greatest(known.stored, before + is_batch::integer), told_at = now(),
		looked_at = now(), silent_s = 0, is_named = false, ended_at = CASE WHEN is_end THEN now() END
		WHERE r.run_id = run;
	IF is_end THEN
		DELETE FROM audit.access_reader r WHERE r.run_id = run;
	END IF;
	RETURN gaps;
END
$$;

-- Requests of class III or above for which a run had no room: how many, by tenant, and the event that says so.
CREATE FUNCTION audit.access_lost(run uuid, tenants uuid[], ids uuid[], times_ms bigint[], counts bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	WITH named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, operation, event_id, changed, run_id, at)
		SELECT g.tenant_id, audit.new_id(), 'accesses_missing', 'gateway', g.id::text, 'gateway.request', g.id,
			g.n, run, to_timestamp(g.time_ms / 1000.0)
		FROM unnest(tenants, ids, times_ms, counts) AS g (tenant_id, id, time_ms, n)
		WHERE (SELECT count(*) FROM audit.gap x WHERE x.tenant_id = g.tenant_id AND x.service = 'gateway') < 10000
		ORDER BY g.tenant_id ON CONFLICT DO NOTHING RETURNING 1
	)
	SELECT count(*) FROM named
$$;

-- Name runs that are silent for so long. One that tells something every two seconds costs no write here. What counts
-- is the time in which somebody looked, three seconds a look: while audit or its database is away nobody can tell anything, and when they are back everybody gets as long
-- as ever. What is settled goes after a while in which it could still come again.
CREATE FUNCTION audit.access_look(bound_s integer) RETURNS TABLE (run_id uuid, gaps bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	run record;
BEGIN
	DELETE FROM audit.access_run r WHERE r.ended_at < now() - interval '1 day'
		OR r.is_named AND r.told_at < now() - interval '30 days';
	UPDATE audit.access_run r SET silent_s = r.silent_s + 3, looked_at = now()
		WHERE r.ended_at IS NULL AND NOT r.is_named AND r.looked_at <= now() - interval '3 seconds';
	FOR run IN UPDATE audit.access_run r SET is_named = true
		WHERE r.ended_at IS NULL AND NOT r.is_named AND r.silent_s >= bound_s RETURNING r.run_id, r.stored, r.told_at
	LOOP
		run_id := run.run_id;
		gaps := audit.name_accesses(run.run_id, run.run_id || '/' || run.stored, run.told_at);
		RETURN NEXT;
	END LOOP;
END
$$;

REVOKE ALL ON FUNCTION audit.new_id(), audit.name_accesses(uuid, text, timestamptz) FROM PUBLIC;
SELECT tenancy.offer('audit', routine) FROM unnest(ARRAY['access_open(uuid, uuid)',
	'access_tell(uuid, bigint, boolean, boolean)', 'access_lost(uuid, uuid[], uuid[], bigint[], bigint[])',
	'access_look(integer)']) AS routine;
