-- As before (0151_completeness.sql), but that ids are compared by hash: how many come in an array the planner
-- does not know, and it took nested loops, 500 times 500 for what a service tells at once. And only what was
-- found neither among what is new nor among what had waited is looked for in the log.
CREATE OR REPLACE FUNCTION audit.tell(of_service text, tenants uuid[], ids uuid[], operations text[], times timestamptz[],
	gap_ids uuid[], now_waiting bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
		WHERE a.service = of_service AND a.sequence < h.sequence ORDER BY a.told_at LIMIT 64));
	PERFORM FROM audit.accounted a WHERE a.service = of_service AND a.tenant_id = ANY (to_look_at)
		ORDER BY a.tenant_id FOR UPDATE;
	WITH ahead AS MATERIALIZED (
		SELECT a.tenant_id, a.sequence AS seen, h.sequence AS until FROM audit.accounted a
		JOIN audit.head h ON h.tenant_id = a.tenant_id
		WHERE a.service = of_service AND a.tenant_id = ANY (to_look_at) AND a.sequence < h.sequence
	), news AS MATERIALIZED (
		SELECT e.tenant_id, e.id, e.operation, e.time, e.id IN (SELECT t.id FROM unnest(ids) AS t (id)) AS is_told
		FROM ahead a JOIN audit.event e ON e.tenant_id = a.tenant_id AND e.sequence > a.seen AND e.sequence <= a.until
		WHERE e.operation <> 'gateway.request' AND starts_with(e.operation, of_service || '.')
	), put AS (
		INSERT INTO audit.untold (service, tenant_id, event_id, operation, at, ask_at)
		SELECT of_service, n.tenant_id, n.id, n.operation, n.time, now() + interval '10 seconds'
		FROM news n WHERE NOT n.is_told ON CONFLICT DO NOTHING
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
			FROM ahead x FULL JOIN agreed g ON g.tenant_id = x.tenant_id) c
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
