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
ALTER TABLE audit.sink_position ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.sink_position FORCE ROW LEVEL SECURITY;
CREATE POLICY functions ON audit.sink_position TO manabiya_owner USING (true) WITH CHECK (true);

-- The file's position was a column of head.
INSERT INTO audit.sink (name) VALUES ('file');
INSERT INTO audit.sink_position (sink, tenant_id, sequence)
	SELECT 'file', h.tenant_id, h.exported FROM audit.head h WHERE h.exported > 0;
DROP INDEX audit.head_news;

-- Counted, because mostly there is none: a plan for the first row would look up tenant by tenant.
CREATE FUNCTION audit.sink_has_news(of_sink text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT count(*) > 0 FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > coalesce(p.sequence, 0)
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

CREATE FUNCTION audit.sink_release(of_sink text, by_whom text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	UPDATE audit.sink SET held_until = '-infinity' WHERE name = of_sink AND holder = by_whom
$$;

-- What a sink has not got: of each tenant a run without gaps. After a long stop much may wait: an equal
-- part of the batch from each of a few tenants, those that have waited longest, so that a turn never
-- sorts all of it and nobody who has much to tell keeps the others waiting.
CREATE FUNCTION audit.sink_take(of_sink text, most integer)
RETURNS TABLE (tenant_id uuid, id uuid, sequence bigint, "time" timestamptz, operation text, outcome text, line text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT e.tenant_id, e.id, e.sequence, e.time, e.operation, e.outcome, e.line
	FROM (SELECT w.*, most / count(*) OVER () AS part FROM (
		SELECT h.tenant_id, coalesce(p.sequence, 0) AS sent FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > coalesce(p.sequence, 0)
		ORDER BY p.moved_at NULLS FIRST, h.tenant_id LIMIT least(most, 16)) w) h
	CROSS JOIN LATERAL (
		SELECT n.* FROM audit.event n
		WHERE n.tenant_id = h.tenant_id AND n.sequence > h.sent
		ORDER BY n.sequence LIMIT h.part
	) e
	ORDER BY e.arrival
$$;

-- These events are safe in the sink: of how many tenants that had not been known. Named by their ids, so
-- that lines which this database does not know (it was restored from a backup) move nothing.
CREATE FUNCTION audit.sink_done(of_sink text, tenants uuid[], ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	WITH moved AS (
		INSERT INTO audit.sink_position AS p (sink, tenant_id, sequence)
		SELECT of_sink, e.tenant_id, max(e.sequence)
		FROM unnest(tenants, ids) AS g (tenant_id, id)
		JOIN audit.event e ON e.tenant_id = g.tenant_id AND e.id = g.id GROUP BY e.tenant_id
		ON CONFLICT (tenant_id, sink) DO UPDATE SET sequence = excluded.sequence, moved_at = clock_timestamp()
			WHERE p.sequence < excluded.sequence
		RETURNING 1
	)
	SELECT count(*) FROM moved
$$;

-- The release before this one asks these, while both run.
CREATE OR REPLACE FUNCTION audit.pipeline_take(most integer)
RETURNS TABLE (tenant_id uuid, id uuid, line text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT t.tenant_id, t.id, t.line FROM audit.sink_take('file', most) t
$$;
CREATE OR REPLACE FUNCTION audit.pipeline_done(tenants uuid[], ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT audit.sink_done('file', tenants, ids)
$$;

REVOKE ALL ON FUNCTION audit.sink_has_news(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.sink_hold(text, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.sink_release(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.sink_take(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.sink_done(text, uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.sink_has_news(text) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.sink_hold(text, text, integer) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.sink_release(text, text) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.sink_take(text, integer) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.sink_done(text, uuid[], uuid[]) TO manabiya_audit;
