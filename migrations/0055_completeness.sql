-- audit compares what each service says that it has written (0005_ledger.sql) with what the log holds.
--
-- Per service and tenant there is one position in the log. What is behind it was told by its service, or
-- waits in `untold`; so most events cost one look at the log and no row. All of it moves in the
-- transaction in which a service tells: telling twice changes nothing.

CREATE TABLE audit.accounted (
	service text NOT NULL,
	tenant_id uuid NOT NULL,
	sequence bigint NOT NULL DEFAULT 0, -- looked at up to there
	events bigint NOT NULL DEFAULT 0, -- that agreed
	effects bigint NOT NULL DEFAULT 0, -- transactions that the service counts
	told_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, service)
);
CREATE INDEX accounted_service ON audit.accounted (service, tenant_id);

-- In the log, and its service has not told of it: it is about to, or it never will.
CREATE TABLE audit.untold (
	service text NOT NULL,
	tenant_id uuid NOT NULL,
	event_id uuid NOT NULL,
	operation text NOT NULL,
	at timestamptz NOT NULL,
	ask_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX untold_event ON audit.untold (service, event_id);
CREATE INDEX untold_ask ON audit.untold (service, ask_at);

-- What does not agree. It stays: the log is not complete any more, whatever is done.
CREATE TABLE audit.gap (
	tenant_id uuid NOT NULL,
	id uuid NOT NULL,
	kind text NOT NULL CHECK (kind IN ('effect_without_event', 'event_missing', 'event_unknown', 'accesses_missing',
		'event_removed', 'event_changed')),
	service text NOT NULL,
	mark text NOT NULL, -- of the effect or the event, so that it is named once
	operation text, -- of an event
	event_id uuid,
	relation text, -- of an effect
	verb text,
	changed bigint,
	by_whom text,
	run_id uuid, -- whose accesses (0058_access_run.sql)
	first_sequence bigint, -- of events that were in the log and are not, or not as they were (0059_log_compare.sql)
	last_sequence bigint,
	at timestamptz NOT NULL,
	found_at timestamptz NOT NULL DEFAULT now(),
	alarmed boolean NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, service, kind, mark)
);
CREATE INDEX gap_new ON audit.gap (tenant_id) WHERE NOT alarmed;

-- Of a service, all tenants together.
CREATE TABLE audit.teller (
	service text PRIMARY KEY,
	told_at timestamptz NOT NULL,
	waiting bigint NOT NULL -- events in its outbox
);

SELECT tenancy.protect_readonly('audit.accounted'), tenancy.protect_readonly('audit.untold'), tenancy.protect_readonly('audit.gap');
GRANT SELECT ON audit.teller TO manabiya_audit;

-- A service has written these events, and they have left its outbox, so they are in the log. `gap_ids` are
-- names for those that are not. Returns how many.
--
-- Ids are compared by hash: how many come in an array the planner does not know, and it took nested loops, 500 times
-- 500 for what a service tells at once; work_mem, because an estimate that is too high must not turn a hash into one
-- either. Of a log of which something is told now only what stands before the last of that is looked at, and of
-- others only what nothing was told of for some seconds: a call waits for its turn while more is appended, so what is
-- behind is mostly told in the next one.
--
-- What stands under a name that is no service's is audit's to answer for: it is asked, has not written it, and says so.
-- Records of requests are in no ledger, since the gateway has none: they are not looked at (0058_access_run.sql).
CREATE FUNCTION audit.tell(of_service text, tenants uuid[], ids uuid[], operations text[], times timestamptz[],
	gap_ids uuid[], now_waiting bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $$
DECLARE
	operator uuid := '00000000-0000-7000-8000-000000000001';
	to_look_at uuid[];
	missing bigint;
BEGIN
	INSERT INTO audit.teller AS t VALUES (of_service, now(), now_waiting)
		ON CONFLICT (service) DO UPDATE SET told_at = excluded.told_at, waiting = excluded.waiting;
	INSERT INTO audit.accounted (service, tenant_id) SELECT of_service, h.tenant_id FROM audit.head h
		WHERE h.tenant_id NOT IN (SELECT a.tenant_id FROM audit.accounted a WHERE a.service = of_service)
		ORDER BY h.tenant_id ON CONFLICT DO NOTHING;
	-- Those of which it tells, the operator's, where it records what belongs to no tenant, and a few others,
	-- those longest not looked at: an event that nobody tells of lies there too. Behind the locks the next
	-- statement sees what another instance has done.
	to_look_at := ARRAY(SELECT coalesce(g.id, operator) FROM unnest(tenants) AS g (id) UNION SELECT operator UNION
		(SELECT a.tenant_id FROM audit.accounted a JOIN audit.head h ON h.tenant_id = a.tenant_id
		WHERE a.service = of_service AND a.sequence < h.sequence AND a.told_at < now() - interval '5 seconds'
		ORDER BY a.told_at LIMIT 64));
	PERFORM FROM audit.accounted a WHERE a.service = of_service AND a.tenant_id = ANY (to_look_at)
		ORDER BY a.tenant_id FOR UPDATE;
	WITH ahead AS MATERIALIZED (
		SELECT a.tenant_id, a.sequence AS seen, h.sequence AS until FROM audit.accounted a
		JOIN audit.head h ON h.tenant_id = a.tenant_id
		WHERE a.service = of_service AND a.tenant_id = ANY (to_look_at) AND a.sequence < h.sequence
	), news AS MATERIALIZED (
		SELECT e.tenant_id, e.sequence, e.id, e.operation, e.time, e.id IN (SELECT t.id FROM unnest(ids) AS t (id)) AS is_told
		FROM ahead a JOIN audit.event e ON e.tenant_id = a.tenant_id AND e.sequence > a.seen AND e.sequence <= a.until
		WHERE e.operation NOT IN ('gateway.request', 'gateway.access_lost') AND (starts_with(e.operation, of_service || '.')
			OR of_service = 'audit' AND e.operation !~ '^(audit|auth|learning|notification|provisioning)[.]')
	), reach AS MATERIALIZED (
		SELECT a.tenant_id, coalesce(max(n.sequence), CASE WHEN a.tenant_id = ANY (tenants) THEN a.seen ELSE a.until END) AS until
		FROM ahead a LEFT JOIN news n ON n.tenant_id = a.tenant_id AND n.is_told GROUP BY a.tenant_id, a.seen, a.until
	), put AS (
		INSERT INTO audit.untold (service, tenant_id, event_id, operation, at, ask_at)
		SELECT of_service, n.tenant_id, n.id, left(n.operation, 64), n.time, now() + interval '10 seconds'
		FROM news n JOIN reach r ON r.tenant_id = n.tenant_id AND n.sequence <= r.until
		WHERE NOT n.is_told ON CONFLICT DO NOTHING
	), late AS (
		DELETE FROM audit.untold u WHERE u.service = of_service AND u.event_id IN (SELECT t.id FROM unnest(ids) AS t (id))
		RETURNING u.tenant_id, u.event_id
	), agreed AS (
		SELECT b.tenant_id, count(*) AS n FROM (SELECT n.tenant_id FROM news n WHERE n.is_told
			UNION ALL SELECT l.tenant_id FROM late l) b GROUP BY b.tenant_id
	), moved AS (
		UPDATE audit.accounted a SET sequence = coalesce(c.until, a.sequence), events = a.events + coalesce(c.n, 0),
			told_at = now()
		FROM (SELECT coalesce(x.tenant_id, g.tenant_id) AS tenant_id, x.until, g.n
			FROM reach x FULL JOIN agreed g ON g.tenant_id = x.tenant_id) c
		WHERE a.service = of_service AND a.tenant_id = c.tenant_id
	), alone AS MATERIALIZED ( -- told before, or not there
		SELECT coalesce(g.tenant_id, operator) AS tenant_id, g.id, g.operation, g.at, g.gap_id
		FROM unnest(tenants, ids, operations, times, gap_ids) AS g (tenant_id, id, operation, at, gap_id)
		WHERE g.id NOT IN (SELECT n.id FROM news n) AND g.id NOT IN (SELECT l.event_id FROM late l)
	), named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, operation, event_id, at)
		SELECT t.tenant_id, t.gap_id, 'event_missing', of_service, t.id::text, t.operation, t.id, t.at FROM alone t
		WHERE NOT EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = t.tenant_id AND e.id = t.id)
			AND NOT EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = operator AND e.id = t.id)
		ON CONFLICT DO NOTHING RETURNING 1
	)
	SELECT count(*) INTO missing FROM named;
	RETURN missing;
END
$$;

-- Rows that changed without an event. Of a tenant and service at most 10,000 are kept: by then somebody has
-- been told, and whoever goes on must not fill the disk.
CREATE FUNCTION audit.tell_effects(of_service text, gap_ids uuid[], tenants uuid[], marks text[], relations text[],
	verbs text[], rows_changed bigint[], whose text[], times timestamptz[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	WITH named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, relation, verb, changed, by_whom, at)
		SELECT g.tenant_id, g.id, 'effect_without_event', of_service, g.mark, g.relation, g.verb, g.changed,
			nullif(g.by_whom, ''), g.at
		FROM unnest(gap_ids, tenants, marks, relations, verbs, rows_changed, whose, times)
			AS g (id, tenant_id, mark, relation, verb, changed, by_whom, at)
		WHERE (SELECT count(*) FROM audit.gap x WHERE x.tenant_id = g.tenant_id AND x.service = of_service) < 10000
		ON CONFLICT DO NOTHING RETURNING 1
	)
	SELECT count(*) FROM named
$$;

CREATE FUNCTION audit.tell_counts(of_service text, tenants uuid[], counts bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO audit.accounted AS a (service, tenant_id, effects)
	SELECT of_service, g.tenant_id, g.effects FROM unnest(tenants, counts) AS g (tenant_id, effects)
	ORDER BY g.tenant_id
	ON CONFLICT (tenant_id, service) DO UPDATE SET effects = greatest(a.effects, excluded.effects), told_at = now()
$$;

-- The service has never written these: somebody else put them into the log.
CREATE FUNCTION audit.tell_unknown(of_service text, ids uuid[], gap_ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	WITH gone AS (
		DELETE FROM audit.untold u USING unnest(ids, gap_ids) AS g (id, gap_id)
		WHERE u.service = of_service AND u.event_id = g.id
		RETURNING u.*, g.gap_id
	), named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, operation, event_id, at)
		SELECT g.tenant_id, g.gap_id, 'event_unknown', of_service, g.event_id::text, g.operation, g.event_id, g.at
		FROM gone g ON CONFLICT DO NOTHING RETURNING 1
	)
	SELECT count(*) FROM named
$$;

-- Which events the service is to look for. Asked again after a while: those that it knows are on their way.
CREATE FUNCTION audit.doubts(of_service text, most integer) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	UPDATE audit.untold u SET ask_at = now() + interval '1 minute'
	FROM (SELECT d.tenant_id, d.event_id FROM audit.untold d
		WHERE d.service = of_service AND d.ask_at < now()
		ORDER BY d.ask_at, d.event_id LIMIT most FOR UPDATE SKIP LOCKED) d
	WHERE u.tenant_id = d.tenant_id AND u.event_id = d.event_id RETURNING u.event_id
$$;

-- Tenants with something that nobody has been told of yet, and how much.
CREATE FUNCTION audit.gap_news(most integer) RETURNS TABLE (tenant_id uuid, gaps bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT g.tenant_id, count(*) FROM audit.gap g WHERE NOT g.alarmed GROUP BY g.tenant_id ORDER BY 1 LIMIT most
$$;
-- Of the tenant that was entered.
CREATE FUNCTION audit.gap_alarmed() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	UPDATE audit.gap g SET alarmed = true WHERE g.tenant_id = (SELECT tenancy.tenant()) AND NOT g.alarmed
$$;
CREATE FUNCTION audit.gap_count() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*) FROM audit.gap
$$;

SELECT tenancy.offer('audit', routine) FROM unnest(ARRAY['tell(text, uuid[], uuid[], text[], timestamptz[], uuid[], bigint)',
	'tell_effects(text, uuid[], uuid[], text[], text[], text[], bigint[], text[], timestamptz[])',
	'tell_counts(text, uuid[], bigint[])', 'tell_unknown(text, uuid[], uuid[])', 'doubts(text, integer)',
	'gap_news(integer)', 'gap_alarmed()', 'gap_count()']) AS routine;
