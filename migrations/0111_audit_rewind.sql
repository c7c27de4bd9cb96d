-- Old events are pruned, so a log need not begin at 1: what a sink lacks is what is there behind its
-- position. And a sink can be set back (manabiyactl pipeline rewind) while a batch is under way: that
-- batch then moves nothing, because something lies between the position and what it begins with.

CREATE OR REPLACE FUNCTION audit.sink_has_news(of_sink text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT count(*) > 0 FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > coalesce(p.sequence, 0) AND EXISTS (SELECT FROM audit.event e
			WHERE e.tenant_id = h.tenant_id AND e.sequence > coalesce(p.sequence, 0))
$$;

CREATE OR REPLACE FUNCTION audit.sink_take(of_sink text, most integer)
RETURNS TABLE (tenant_id uuid, id uuid, sequence bigint, "time" timestamptz, operation text, outcome text, line text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT e.tenant_id, e.id, e.sequence, e.time, e.operation, e.outcome, e.line
	FROM (SELECT w.*, most / count(*) OVER () AS part FROM (
		SELECT h.tenant_id, coalesce(p.sequence, 0) AS sent FROM audit.head h
		LEFT JOIN audit.sink_position p ON p.sink = of_sink AND p.tenant_id = h.tenant_id
		WHERE h.sequence > coalesce(p.sequence, 0) AND EXISTS (SELECT FROM audit.event e
			WHERE e.tenant_id = h.tenant_id AND e.sequence > coalesce(p.sequence, 0))
		ORDER BY p.moved_at NULLS FIRST, h.tenant_id LIMIT least(most, 16)) w) h
	CROSS JOIN LATERAL (
		SELECT n.* FROM audit.event n
		WHERE n.tenant_id = h.tenant_id AND n.sequence > h.sent
		ORDER BY n.sequence LIMIT h.part
	) e
	ORDER BY e.arrival
$$;

CREATE OR REPLACE FUNCTION audit.sink_done(of_sink text, tenants uuid[], ids uuid[]) RETURNS bigint
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
