-- Telling of the ledger costs what is told, not what is there: after audit was away the ledger holds as much
-- as the outbox, and reading all of that for each turn took longer than the events. So it has indexes, which
-- are small because rows are there for seconds, and an event knows the row of the outbox that brings it.

-- To be called for each schema that tenancy.service() makes, behind keep_ledger().
CREATE FUNCTION tenancy.index_ledger(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $index$
BEGIN
	EXECUTE format('ALTER TABLE %I.ledger ADD COLUMN waits bigint, ADD PRIMARY KEY (id)', name); -- outbox.id
	EXECUTE format('CREATE INDEX ledger_event ON %I.ledger (xid, waits) WHERE kind = ''event''', name);
	EXECUTE format('CREATE INDEX ledger_other ON %I.ledger (xid, kind) WHERE kind <> ''event''', name);
	EXECUTE format('UPDATE %1$I.ledger l SET waits = coalesce((SELECT o.id FROM %1$I.outbox o'
		' WHERE o.kind = ''audit'' AND o.event_id = l.event_id), 0) WHERE l.kind = ''event''', name);
	EXECUTE format('ALTER TABLE %I.ledger ADD CHECK (kind <> ''event'' OR waits IS NOT NULL)', name);
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.ledger_event() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			INSERT INTO %1$I.ledger (kind, tenant_id, event_id, name, waits)
			VALUES ('event', NEW.tenant_id, NEW.event_id, NEW.type, NEW.id);
			RETURN NULL;
		END
		$body$$sql$, name);

	-- As before (0150_ledger.sql). A plan that was made while there was little would read and sort all of it.
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.ledger_take(most integer)
		RETURNS TABLE (id bigint, kind text, tenant_id uuid, event_id uuid, name text, verb text, changed bigint,
			by_whom text, at text, xid text)
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
		SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $body$
		DECLARE
			mark xid8 := pg_snapshot_xmin(pg_current_snapshot());
			next_xid xid8;
			next_id bigint;
		BEGIN
			PERFORM tenancy.demand_relay();
			WITH agreed AS (
				DELETE FROM %1$I.ledger l WHERE l.kind <> 'event' AND l.xid < mark AND (l.kind <> 'effect'
					OR EXISTS (SELECT FROM %1$I.ledger e WHERE e.xid = l.xid AND e.kind = 'event')
					OR EXISTS (SELECT FROM %1$I.ledger w WHERE w.xid = l.xid AND w.kind <> 'event' AND (w.kind = 'copy'
						OR (w.kind = 'upkeep' AND (w.name = '*' OR (w.name, w.verb) = (l.name, l.verb))))))
				RETURNING l.xid, l.kind, l.tenant_id
			)
			INSERT INTO %1$I.ledger_count AS k (tenant_id, effects)
			SELECT a.tenant_id, count(DISTINCT a.xid) FROM agreed a WHERE a.kind = 'effect' GROUP BY a.tenant_id
			ORDER BY a.tenant_id
			ON CONFLICT ON CONSTRAINT ledger_count_pkey DO UPDATE SET effects = k.effects + excluded.effects;
			-- The relay takes rows in this order. Before the one that it takes next there are only those
			-- that were delivered, and those that were refused.
			SELECT o.xid, o.id INTO next_xid, next_id FROM %1$I.outbox o
			WHERE o.consumer = 'audit' AND o.dead_reason IS NULL AND o.attempts = 0 ORDER BY o.xid, o.id LIMIT 1;
			IF next_xid IS NULL OR next_xid > mark THEN
				next_xid := mark;
				next_id := 0;
			END IF;
			RETURN QUERY
				(SELECT l.id, l.kind, l.tenant_id, l.event_id, l.name, l.verb, l.changed, l.by_whom,
					tenancy.stamp(l.at), l.xid::text
				FROM %1$I.ledger l WHERE l.kind = 'effect' AND l.kind <> 'event' AND l.xid < mark
				ORDER BY l.xid LIMIT most)
				UNION ALL
				(SELECT l.id, l.kind, l.tenant_id, l.event_id, l.name, l.verb, l.changed, l.by_whom,
					tenancy.stamp(l.at), l.xid::text
				FROM %1$I.ledger l WHERE l.kind = 'event' AND (l.xid, l.waits) < (next_xid, next_id)
					AND (SELECT o.id FROM %1$I.outbox o WHERE o.id = l.waits) IS NULL
				ORDER BY l.xid, l.waits LIMIT most)
				LIMIT most;
		END
		$body$$sql$, name);

	EXECUTE format('CREATE INDEX outbox_dead ON %I.outbox (consumer) WHERE dead_reason IS NOT NULL', name);
	-- As before, but somebody reads the figure: beyond ten thousand it is enough to know so.
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.ledger_waiting() RETURNS bigint
		LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $body$
			SELECT (SELECT count(*) FROM (SELECT FROM %1$I.outbox o WHERE o.consumer = 'audit' AND o.dead_reason IS NULL
					LIMIT 10000) w)
				+ (SELECT count(*) FROM %1$I.outbox o WHERE o.consumer = 'audit' AND o.dead_reason IS NOT NULL)
		$body$$sql$, name);
END
$index$;
REVOKE ALL ON FUNCTION tenancy.index_ledger(text) FROM PUBLIC;

SELECT tenancy.index_ledger(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ledger' AND c.relkind = 'r';

-- Thousands of events are told at once: an estimate that is too high must not turn a hash into a nested loop.
ALTER FUNCTION audit.tell(text, uuid[], uuid[], text[], timestamptz[], uuid[], bigint) SET work_mem = '64MB';
