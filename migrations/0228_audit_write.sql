-- What an event costs the database when many come: noting its terms, handing it to the sinks, and comparing it
-- with what its service tells cost twice as much as storing it (docs/performance.md).

-- The head of a log moves with every batch, and with what is signed, looked at and witnessed of it. Indexes
-- over those columns made each move write four of them and leave a dead row for vacuum; without them a row is
-- overwritten in its page. Whoever looks for heads with news reads all of them: 10,000 in 2 ms.
DROP INDEX audit.head_unlooked;
DROP INDEX audit.head_unsigned;
DROP INDEX audit.head_unwitnessed;
ALTER TABLE audit.head SET (fillfactor = 50);

-- Anomalies count few kinds of events (services/audit/anomaly.c), and nothing else asks by actor or time.
DROP INDEX audit.event_actor;
DROP INDEX audit.event_time;
CREATE INDEX event_watched ON audit.event (tenant_id, actor_id, time) WHERE operation IN ('learning.media_content',
	'learning.export_archive', 'auth.session_create', 'auth.session_second_factor');
CREATE INDEX event_login ON audit.event (tenant_id, time)
	WHERE operation IN ('auth.session_create', 'auth.session_second_factor');

-- As before (0111_audit_rewind.sql), but whether there is anything behind a position is asked of the head, which
-- knows what is pruned, and not of the events: the planner took to reading all of them. And of up to 64 tenants:
-- most batches are all that there is.
CREATE OR REPLACE FUNCTION audit.sink_has_news(of_sink text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT count(*) > 0 FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > greatest(p.sequence, h.pruned)
$$;
CREATE OR REPLACE FUNCTION audit.sink_take(of_sink text, most integer)
RETURNS TABLE (tenant_id uuid, id uuid, sequence bigint, "time" timestamptz, operation text, outcome text, line text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog SET enable_bitmapscan = off SET enable_seqscan = off AS $$
	SELECT e.tenant_id, e.id, e.sequence, e.time, e.operation, e.outcome, e.line
	FROM (SELECT w.*, most / count(*) OVER () AS part FROM (
		SELECT h.tenant_id, greatest(p.sequence, h.pruned) AS sent FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > greatest(p.sequence, h.pruned)
		ORDER BY p.moved_at NULLS FIRST, h.tenant_id LIMIT least(most, 64)) w) h
	CROSS JOIN LATERAL (
		SELECT n.* FROM audit.event n
		WHERE n.tenant_id = h.tenant_id AND n.sequence > h.sent
		ORDER BY n.sequence LIMIT h.part
	) e
	ORDER BY e.arrival
$$;

-- ---- terms ----
-- As before (0205_audit_term.sql, 0227_terms_by_tile.sql), but a term is kept as its hash, since a search
-- compares the events of the tiles that it finds anyway; from when to when a tile is stands beside its number; and
-- what all events of a tile have in common is put together once, not for each of them. The job notes all logs
-- anew; until then a search looks into their tiles itself.
DROP TRIGGER forget_terms ON audit.pruned_tile;
DROP FUNCTION audit.forget_terms();
DROP FUNCTION audit.note_terms(integer);
DROP TABLE audit.term;
DROP FUNCTION audit.terms_of(timestamptz, text, text, uuid, text, uuid[], uuid[], text);
UPDATE audit.noted n SET tiles = h.pruned / 256 FROM audit.head h WHERE h.tenant_id = n.tenant_id;

CREATE TABLE audit.tile_term (
	tenant_id uuid NOT NULL,
	term bigint NOT NULL, -- audit.term_key()
	tile bigint NOT NULL, -- of the events from sequence 256 * tile + 1 on
	PRIMARY KEY (tenant_id, term, tile)
);
CREATE TABLE audit.noted_tile (
	tenant_id uuid NOT NULL,
	tile bigint NOT NULL,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, tile)
);
DO $$
DECLARE
	relation regclass;
BEGIN
	FOREACH relation IN ARRAY ARRAY['audit.tile_term', 'audit.noted_tile']::regclass[] LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
		EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
		EXECUTE format('CREATE POLICY tenant ON %s FOR SELECT TO manabiya_audit'
			' USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e))', relation);
		EXECUTE format('CREATE POLICY functions ON %s TO manabiya_owner USING (true) WITH CHECK (true)', relation);
		EXECUTE format('GRANT SELECT ON %s TO manabiya_audit', relation);
	END LOOP;
END
$$;

CREATE FUNCTION audit.term_key(term text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT hashtextextended(term, 0) $$;

-- What some tiles of a log can be found by. What a line says is read from it as text: its strings are quoted, so
-- what is looked for stands nowhere else; the routes of the access log stand before the requests.
CREATE FUNCTION audit.terms_in(owner uuid, first bigint, until bigint) RETURNS TABLE (term bigint, tile bigint)
LANGUAGE sql STABLE AS $$
	WITH seen AS MATERIALIZED (
		SELECT (e.sequence - 1) / 256 AS tile, e.operation, e.outcome, e.actor_id, e.object_id,
			split_part(split_part(e.line, '"type_uid":', 2), ',', 1) AS type_uid,
			nullif(split_part(split_part(e.line, '"labels":["', 2), '"', 1), '') AS label,
			nullif(split_part(split_part(e.line, '"owner":{"uid":"', 2), '"', 1), '') AS owner_id,
			e.actor_ids, e.object_ids, CASE WHEN e.operation = 'gateway.request'
				THEN split_part(split_part(e.line, '"requests":[', 1), '"routes":[', 2) END AS routes
		FROM audit.event e WHERE e.tenant_id = owner AND e.sequence > 256 * first AND e.sequence <= 256 * until
	), named AS (
		SELECT s.tile, CASE WHEN grouping(s.actor_id) = 0 THEN 'actor/' || s.actor_id
			WHEN grouping(s.object_id) = 0 THEN 'object/' || s.object_id
			WHEN grouping(s.owner_id) = 0 THEN 'owner/' || s.owner_id
			WHEN grouping(s.operation) = 0 THEN 'operation/' || s.operation
			WHEN grouping(s.outcome) = 0 THEN 'outcome/' || s.outcome
			WHEN grouping(s.label) = 0 THEN 'label/' || s.label
			WHEN grouping(s.type_uid) = 0 THEN 'verb/' || audit.verb_of(s.type_uid)
			ELSE 'all' END AS term
		FROM seen s GROUP BY GROUPING SETS ((s.tile, s.actor_id), (s.tile, s.object_id), (s.tile, s.owner_id),
			(s.tile, s.operation), (s.tile, s.outcome), (s.tile, s.label), (s.tile, s.type_uid), (s.tile))
		UNION ALL SELECT s.tile, CASE WHEN s.routes IS NULL THEN 'kind/activity' ELSE 'kind/access' END FROM seen s
		UNION ALL SELECT s.tile, t.term FROM seen s CROSS JOIN LATERAL (
			SELECT 'actor/' || a.id FROM unnest(s.actor_ids) AS a (id)
			UNION ALL SELECT 'object/' || o.id FROM unnest(s.object_ids) AS o (id)
			UNION ALL SELECT 'operation/' || split_part(r.route, '"', 1)
				FROM unnest((string_to_array(s.routes, '{"operation":"'))[2:]) AS r (route)) AS t (term)
		WHERE s.routes IS NOT NULL
	)
	SELECT DISTINCT audit.term_key(n.term), n.tile FROM named n WHERE n.term IS NOT NULL
$$;

-- At most so many tiles; returns how many it were. Another instance's are left to it.
CREATE FUNCTION audit.note_terms(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	owner uuid;
	first bigint;
	until bigint;
	done bigint := 0;
BEGIN
	FOR owner, first, until IN
		SELECT h.tenant_id, coalesce(n.tiles, 0), least(h.sequence / 256, coalesce(n.tiles, 0) + most)
		FROM audit.head h LEFT JOIN audit.noted n ON n.tenant_id = h.tenant_id
		WHERE h.sequence / 256 > coalesce(n.tiles, 0) ORDER BY h.tenant_id LIMIT most
	LOOP
		INSERT INTO audit.noted VALUES (owner, 0) ON CONFLICT DO NOTHING;
		PERFORM FROM audit.noted n WHERE n.tenant_id = owner AND n.tiles = first FOR UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		INSERT INTO audit.tile_term (tenant_id, term, tile)
		SELECT owner, t.term, t.tile FROM audit.terms_in(owner, first, until) t ORDER BY t.term, t.tile;
		INSERT INTO audit.noted_tile (tenant_id, tile, first_at, last_at)
		SELECT owner, (e.sequence - 1) / 256, min(e.time), max(e.time) FROM audit.event e
		WHERE e.tenant_id = owner AND e.sequence > 256 * first AND e.sequence <= 256 * until GROUP BY 2;
		UPDATE audit.noted n SET tiles = until WHERE n.tenant_id = owner;
		done := done + until - first;
		EXIT WHEN done >= most;
	END LOOP;
	RETURN done;
END
$$;

-- They go with their events, which are still there when their tile is kept (0131_audit_retention.sql).
CREATE FUNCTION audit.forget_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM audit.tile_term t USING audit.terms_in(NEW.tenant_id, NEW.place, NEW.place + 1) gone
		WHERE t.tenant_id = NEW.tenant_id AND t.term = gone.term AND t.tile = NEW.place;
	DELETE FROM audit.noted_tile t WHERE t.tenant_id = NEW.tenant_id AND t.tile = NEW.place;
	RETURN NULL;
END
$$;
CREATE TRIGGER forget_terms AFTER INSERT ON audit.pruned_tile FOR EACH ROW EXECUTE FUNCTION audit.forget_terms();

REVOKE ALL ON FUNCTION audit.terms_in(uuid, bigint, bigint), audit.note_terms(integer), audit.forget_terms() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.note_terms(integer) TO manabiya_audit;

-- ---- telling ----
-- As before (0153_tell_by_hash.sql), but of a log of which something is told now only what stands before the last
-- of that is looked at, and of others only what nothing was told of for some seconds: a call waits for its turn
-- while more is appended, so what is behind is mostly told in the next one, and was kept as untold until then,
-- a quarter of all events when many come.
CREATE OR REPLACE FUNCTION audit.tell(of_service text, tenants uuid[], ids uuid[], operations text[], times timestamptz[],
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
		WHERE e.operation <> 'gateway.request' AND starts_with(e.operation, of_service || '.')
	), reach AS MATERIALIZED (
		SELECT a.tenant_id, coalesce(max(n.sequence), CASE WHEN a.tenant_id = ANY (tenants) THEN a.seen ELSE a.until END) AS until
		FROM ahead a LEFT JOIN news n ON n.tenant_id = a.tenant_id AND n.is_told GROUP BY a.tenant_id, a.seen, a.until
	), put AS (
		INSERT INTO audit.untold (service, tenant_id, event_id, operation, at, ask_at)
		SELECT of_service, n.tenant_id, n.id, n.operation, n.time, now() + interval '10 seconds'
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
