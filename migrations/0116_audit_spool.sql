-- How many audit lines wait in an outbox: asked once a second, so never more is counted than is of use.
-- And an outbox whose clock was set back goes on: nothing is put off for longer than five minutes, so a
-- row that is not due for more than ten has its time from a clock that was ahead.
--
-- To be called for each schema that tenancy.service() makes.
CREATE FUNCTION tenancy.bound_outbox(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $bound$
BEGIN
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.audit_spool_depth(most bigint) RETURNS bigint
		LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $body$
			SELECT count(*) FROM (SELECT FROM %1$I.outbox o
				WHERE o.consumer = 'audit' AND o.dead_reason IS NULL LIMIT most) waiting
		$body$$sql$, name);
	EXECUTE format('REVOKE ALL ON FUNCTION %I.audit_spool_depth(bigint) FROM PUBLIC', name);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %I.audit_spool_depth(bigint) TO %I', name, 'manabiya_' || name);
	-- As before (0001_tenancy.sql) but for the clock.
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.unguarded_outbox_take(most integer)
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
						AND (o.due_at <= clock_timestamp() OR o.due_at > clock_timestamp() + interval '10 minutes')
					ORDER BY o.xid, o.id LIMIT most FOR UPDATE SKIP LOCKED) r
			), taken AS (
				UPDATE %1$I.outbox o SET due_at = clock_timestamp() + interval '30 seconds'
				FROM due WHERE o.id = due.id RETURNING o.*
			)
			SELECT t.id, t.tenant_id, t.consumer, t.kind, t.type, t.event_id, t.body,
				tenancy.stamp(t.created_at), t.attempts
			FROM taken t ORDER BY t.xid, t.id
		$body$$sql$, name);
END
$bound$;
REVOKE ALL ON FUNCTION tenancy.bound_outbox(text) FROM PUBLIC;

SELECT tenancy.bound_outbox(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'outbox' AND c.relkind = 'r';
