-- As before (0171_audit_stop.sql), but all rows of a stop have one time: the clock was read for each, so that
-- the school and the operator could be told different beginnings.

-- To be called for each schema that tenancy.service() makes, behind watch_audit().
CREATE FUNCTION tenancy.date_audit_stop(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $date$
BEGIN
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.audit_stop_note(tenants uuid[], counts bigint[], most_ms bigint) RETURNS text
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		DECLARE
			noted timestamptz := clock_timestamp();
			oldest timestamptz := (SELECT o.created_at FROM %1$I.outbox o
				WHERE o.consumer = 'audit' AND o.dead_reason IS NULL ORDER BY o.xid, o.id LIMIT 1);
			is_late boolean := coalesce(oldest < noted - most_ms * interval '1 ms', false);
		BEGIN
			PERFORM tenancy.demand_relay();
			IF is_late OR counts[cardinality(counts)] > 0 THEN
				INSERT INTO %1$I.audit_stop AS s (tenant_id, since, seen, refused)
				SELECT n.tenant, least(oldest, noted), noted, n.refused
				FROM unnest(tenants, counts) AS n(tenant, refused)
				ON CONFLICT (tenant_id) DO UPDATE SET refused = s.refused + excluded.refused,
					since = least(s.since, excluded.since), seen = excluded.seen;
			END IF;
			RETURN CASE WHEN is_late OR EXISTS (SELECT FROM %1$I.audit_stop s WHERE s.seen >= oldest) THEN 'stopped'
				WHEN EXISTS (SELECT FROM %1$I.audit_stop) THEN 'over' ELSE 'none' END;
		END
		$body$$sql$, name);
END
$date$;
REVOKE ALL ON FUNCTION tenancy.date_audit_stop(text) FROM PUBLIC;

SELECT tenancy.date_audit_stop(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'audit_stop' AND c.relkind = 'r';
