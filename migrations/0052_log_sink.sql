-- The log pipeline has several sinks. Each keeps its own position in every tenant's log, so each goes on
-- where it stopped, and one that is dead holds up no other.

-- Who is sending to a sink: one process at a time. Held for the time of one batch, by a lease rather
-- than a lock, because no transaction stays open while a receiver is waited for.
CREATE TABLE audit.sink (
	name text PRIMARY KEY,
	holder text NOT NULL DEFAULT '',
	held_until timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE TABLE audit.sink_position (
	sink text NOT NULL REFERENCES audit.sink,
	tenant_id uuid NOT NULL,
	sequence bigint NOT NULL, -- the last that is safe in the sink
	moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (tenant_id, sink)
);
CREATE INDEX sink_position_sink ON audit.sink_position (sink, tenant_id);
SELECT tenancy.hide('audit.sink_position');
INSERT INTO audit.sink (name) VALUES ('file');

-- Counted, because mostly there is none: a plan for the first row would look up tenant by tenant. Old events are
-- pruned, so a log need not begin at 1: what a sink lacks is what is there behind its position. Whether there is
-- anything is asked of the head, not of the events: the planner took to reading all of them.
CREATE FUNCTION audit.sink_has_news(of_sink text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT count(*) > 0 FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > greatest(p.sequence, h.pruned)
$$;

-- True: until then nobody else gets it.
CREATE FUNCTION audit.sink_hold(of_sink text, by_whom text, for_ms integer) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	WITH held AS (
		INSERT INTO audit.sink AS s VALUES (of_sink, by_whom, clock_timestamp() + for_ms * interval '1 ms')
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
			WHERE s.holder = excluded.holder OR s.held_until < clock_timestamp()
		RETURNING 1
	)
	SELECT EXISTS (SELECT FROM held)
$$;

-- A sink is released together with the positions of what was sent. So one that is found released by the
-- process that asks has nothing that the database does not know, and need not be asked: reading back the
-- end of a file for each batch cost more than the batch.
CREATE FUNCTION audit.sink_lease(of_sink text, by_whom text, for_ms integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	is_settled boolean;
BEGIN
	SELECT s.holder = by_whom AND s.held_until = '-infinity' INTO is_settled
		FROM audit.sink s WHERE s.name = of_sink FOR UPDATE;
	RETURN CASE WHEN NOT audit.sink_hold(of_sink, by_whom, for_ms) THEN 'refused'
		WHEN is_settled THEN 'settled' ELSE 'held' END;
END
$$;

CREATE FUNCTION audit.sink_release(of_sink text, by_whom text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	UPDATE audit.sink SET held_until = '-infinity' WHERE name = of_sink AND holder = by_whom
$$;

-- What a sink has not got: of each tenant a run without gaps. After a long stop much may wait: an equal
-- part of the batch from each of a few tenants, those that have waited longest, so that a turn never
-- sorts all of it and nobody who has much to tell keeps the others waiting.
CREATE FUNCTION audit.sink_take(of_sink text, most integer)
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

-- These events are safe in the sink: of how many tenants that had not been known. Named by their ids, so
-- that lines which this database does not know (it was restored from a backup) move nothing. And a sink can be set back
-- (manabiyactl pipeline rewind) while a batch is under way: that batch then moves nothing, because something lies
-- between the position and what it begins with.
CREATE FUNCTION audit.sink_done(of_sink text, tenants uuid[], ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	WITH got AS (
		SELECT e.tenant_id, min(e.sequence) AS first, max(e.sequence) AS last
		FROM unnest(tenants, ids) AS g (tenant_id, id)
		JOIN audit.event e ON e.tenant_id = g.tenant_id AND e.id = g.id GROUP BY e.tenant_id
	), following AS (
		SELECT g.tenant_id, g.last FROM got g
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = g.tenant_id
		WHERE g.last > coalesce(p.sequence, 0) AND NOT EXISTS (SELECT FROM audit.event e
			WHERE e.tenant_id = g.tenant_id AND e.sequence > coalesce(p.sequence, 0) AND e.sequence < g.first)
	), moved AS (
		INSERT INTO audit.sink_position AS p (sink, tenant_id, sequence)
		SELECT of_sink, f.tenant_id, f.last FROM following f
		ON CONFLICT (tenant_id, sink) DO UPDATE SET sequence = excluded.sequence, moved_at = clock_timestamp()
			WHERE p.sequence < excluded.sequence
		RETURNING 1
	)
	SELECT count(*) FROM moved
$$;

SELECT tenancy.offer('audit', routine) FROM unnest(ARRAY['sink_has_news(text)', 'sink_hold(text, text, integer)',
	'sink_lease(text, text, integer)', 'sink_release(text, text)', 'sink_take(text, integer)',
	'sink_done(text, uuid[], uuid[])']) AS routine;
