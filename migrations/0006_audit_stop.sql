-- Since when a service could not have its events kept, and how many attempts it refused for that, by tenant
-- (libcommon/audit_stop.h). Rows lie here while it lasts and go, in one transaction, when the event of it
-- comes into the outbox; they are outside the bound of what waits there.

CREATE FUNCTION tenancy.make_audit_stop(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $make$
BEGIN
	EXECUTE format($sql$
		CREATE TABLE %1$I.audit_stop (
			tenant_id uuid PRIMARY KEY,
			since timestamptz NOT NULL,
			seen timestamptz NOT NULL, -- it, for the last time
			refused bigint NOT NULL
		) WITH (fillfactor = 50)$sql$, name); -- so that counting goes on in the page that is there
	EXECUTE format('ALTER TABLE %I.audit_stop ENABLE ROW LEVEL SECURITY', name);
	EXECUTE format('ALTER TABLE %I.audit_stop FORCE ROW LEVEL SECURITY', name);
	EXECUTE format('CREATE POLICY relay ON %I.audit_stop TO manabiya_owner USING (true) WITH CHECK (true)', name);

	-- What was refused since the last time, the operator's as the last. Says 'stopped' while something
	-- waits longer than `most_ms`, or waits that did when that was seen or something refused for the last
	-- time; 'over' after that, and 'none' when there is nothing to tell. All rows of a stop have one time, so
	-- that the school and the operator are told the same beginning.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.audit_stop_note(tenants uuid[], counts bigint[], most_ms bigint) RETURNS text
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
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.audit_stop_take() RETURNS TABLE (tenant_id text, since text, until text, refused text)
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			RETURN QUERY DELETE FROM %1$I.audit_stop s
				RETURNING s.tenant_id::text, tenancy.stamp(s.since), tenancy.stamp(now()), s.refused::text;
		END
		$body$$sql$, name);
	PERFORM tenancy.offer(name, 'audit_stop_note(uuid[], bigint[], bigint)'), tenancy.offer(name, 'audit_stop_take()');
END
$make$;
REVOKE ALL ON FUNCTION tenancy.make_audit_stop(text) FROM PUBLIC;
