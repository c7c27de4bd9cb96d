-- That no row of a tenant changes without an event, and that no event is lost or made up.
--
-- Triggers of the database note what a transaction changed in tables of tenants, and beside it the
-- events that it wrote, in a ledger that the service itself can neither read nor write. So whatever
-- runs the statement is noted: a handler, a job, an injection, a hand in psql. Notes of one transaction
-- become visible together; below the oldest transaction still running, what has changed something
-- without an event is named (services/audit/completeness.c), and nothing else has to be waited for.
--
-- Triggers are installed by walking the catalogue after every migration, so that a table which is made
-- later cannot be forgotten.

-- What needs no event, and why. `service` is * for a table that every service has. With `columns`: an
-- update that changes no other.
CREATE TABLE tenancy.unwatched (
	service text NOT NULL,
	relation text NOT NULL,
	verb text NOT NULL CHECK (verb IN ('INSERT', 'UPDATE', 'DELETE')),
	columns text[],
	reason text NOT NULL,
	PRIMARY KEY (service, relation, verb),
	CHECK (columns IS NULL OR verb = 'UPDATE')
);

CREATE FUNCTION tenancy.unwatch(service text, relation text, verbs text[], columns text[], reason text)
RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
	INSERT INTO tenancy.unwatched SELECT service, relation, v.verb, columns, reason FROM unnest(verbs) AS v (verb)
$$;
REVOKE ALL ON FUNCTION tenancy.unwatch(text, text, text[], text[], text) FROM PUBLIC;

SELECT tenancy.unwatch('*', 'outbox', '{INSERT,UPDATE,DELETE}', NULL, 'what waits for delivery; its events are in the ledger themselves'),
	tenancy.unwatch('*', 'inbox', '{INSERT,UPDATE,DELETE}', NULL, 'ids of events that were taken; they are the reason of a copy'),
	tenancy.unwatch('*', 'idempotency', '{INSERT,UPDATE,DELETE}', NULL, 'answers kept for a repetition, a day long'),
	tenancy.unwatch('*', 'intent', '{INSERT,UPDATE,DELETE}', NULL, 'ids of what is about to be made; the effect has its event');

-- ---- the ledger of a service ----

-- Behind make_outbox() and make_inbox().
CREATE FUNCTION tenancy.make_ledger(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $make$
DECLARE
	routine text;
BEGIN
	EXECUTE format($sql$
		CREATE TABLE %1$I.ledger (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
			kind text NOT NULL CHECK (kind IN ('effect', 'event', 'copy', 'upkeep')),
			tenant_id uuid,
			event_id uuid, -- of an event or a copy
			name text NOT NULL, -- the table, the operation; of upkeep the one table that it is of, or *
			verb text,
			changed bigint, -- rows
			by_whom text, -- what the program calls itself, behind the role where that is not the service's
			at timestamptz NOT NULL DEFAULT now(),
			waits bigint, -- of an event, the row of the outbox that brings it
			CHECK (kind <> 'event' OR waits IS NOT NULL)
		)$sql$, name);
	-- After audit was away the ledger holds as much as the outbox; telling costs what is told, not what is
	-- there. The indexes are small, because rows are there for seconds.
	EXECUTE format('CREATE INDEX ledger_event ON %I.ledger (xid, waits) WHERE kind = ''event''', name);
	EXECUTE format('CREATE INDEX ledger_other ON %I.ledger (xid, kind) WHERE kind <> ''event''', name);
	-- Transactions with an effect and a reason for it, ever.
	EXECUTE format($sql$
		CREATE TABLE %1$I.ledger_count (
			tenant_id uuid PRIMARY KEY,
			effects bigint NOT NULL,
			told bigint NOT NULL DEFAULT 0
		)$sql$, name);
	PERFORM tenancy.hide(format('%I.ledger', name)), tenancy.hide(format('%I.ledger_count', name));

	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_statement() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			-- Row security lets a service change rows of one tenant. Grouping costs 20 us, this 6.
			IF session_user = '%2$s' THEN
				INSERT INTO %1$I.ledger (kind, tenant_id, name, verb, changed, by_whom)
				SELECT 'effect', c.tenant_id, TG_TABLE_NAME, TG_OP, (SELECT count(*) FROM changed),
					current_setting('application_name')
				FROM changed c LIMIT 1;
			ELSE
				INSERT INTO %1$I.ledger (kind, tenant_id, name, verb, changed, by_whom)
				SELECT 'effect', c.tenant_id, TG_TABLE_NAME, TG_OP, count(*),
					concat(session_user, ' ', current_setting('application_name'))
				FROM changed c GROUP BY c.tenant_id;
			END IF;
			RETURN NULL;
		END
		$body$$sql$, name, 'manabiya_' || name);
	-- The arguments are the columns that do not count. They are compared here, not in the trigger's condition,
	-- which would depend on each column that it names, so that none of them could be dropped.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_row() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
				INSERT INTO %1$I.ledger (kind, tenant_id, name, verb, changed, by_whom)
				VALUES ('effect', NEW.tenant_id, TG_TABLE_NAME, TG_OP, 1,
					CASE WHEN session_user = %2$L THEN current_setting('application_name')
						ELSE concat(session_user, ' ', current_setting('application_name')) END);
			END IF;
			RETURN NULL;
		END
		$body$$sql$, name, 'manabiya_' || name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_event() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			INSERT INTO %1$I.ledger (kind, tenant_id, event_id, name, waits)
			VALUES ('event', NEW.tenant_id, NEW.event_id, NEW.type, NEW.id);
			RETURN NULL;
		END
		$body$$sql$, name);
	-- The proof is not kept: who deletes the row, and has nothing else, cannot write it again.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_copy() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			IF EXISTS (SELECT FROM tenancy.mac_key k WHERE NEW.proof = tenancy.event_mac(k, %1$L, NEW.tenant_id, NEW.event_id)) THEN
				INSERT INTO %1$I.ledger (kind, tenant_id, event_id, name)
				VALUES ('copy', NEW.tenant_id, NEW.event_id, 'inbox');
			END IF;
			NEW.proof := NULL;
			RETURN NEW;
		END
		$body$$sql$, name);
	EXECUTE format('CREATE TRIGGER ledger_event AFTER INSERT ON %1$I.outbox FOR EACH ROW'
		' WHEN (NEW.kind = ''audit'') EXECUTE FUNCTION %1$I.ledger_event()', name);
	EXECUTE format('CREATE TRIGGER ledger_copy BEFORE INSERT ON %1$I.inbox FOR EACH ROW'
		' EXECUTE FUNCTION %1$I.ledger_copy()', name);
	FOREACH routine IN ARRAY '{ledger_statement,ledger_row,ledger_event,ledger_copy}'::text[] LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %I.%I() FROM PUBLIC', name, routine);
	END LOOP;

	-- Let what agrees go, and give what is to be told: effects that nothing explains, and events that have
	-- left the outbox. One watermark for all, so that the effects of a transaction are looked at before
	-- its event can go. A plan that was made while there was little would read and sort all of it.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_take(most integer)
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

	-- audit knows of these.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_done(ids bigint[], tenants uuid[], counts bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			DELETE FROM %1$I.ledger l WHERE l.id = ANY (ids);
			UPDATE %1$I.ledger_count k SET told = greatest(k.told, g.effects)
			FROM unnest(tenants, counts) AS g (tenant_id, effects) WHERE k.tenant_id = g.tenant_id;
		END
		$body$$sql$, name);

	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_counts(most integer) RETURNS TABLE (tenant_id uuid, effects bigint)
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			RETURN QUERY SELECT k.tenant_id, k.effects FROM %1$I.ledger_count k WHERE k.told < k.effects
				ORDER BY k.tenant_id LIMIT most;
		END
		$body$$sql$, name);

	-- Which of these events no transaction of this service has written. The log has them, so they were
	-- below every transaction that was still running; what audit was told of before, it does not ask.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_unknown(ids uuid[]) RETURNS SETOF uuid
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			RETURN QUERY SELECT a.id FROM unnest(ids) AS a (id) WHERE NOT EXISTS
				(SELECT FROM %1$I.ledger l WHERE l.kind = 'event' AND l.event_id = a.id);
		END
		$body$$sql$, name);

	-- Events that are still on their way, or dead: `manabiyactl outbox` shows which. Somebody reads the figure:
	-- beyond ten thousand it is enough to know so.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.ledger_waiting() RETURNS bigint
		LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $body$
			SELECT (SELECT count(*) FROM (SELECT FROM %1$I.outbox o WHERE o.consumer = 'audit' AND o.dead_reason IS NULL
					LIMIT 10000) w)
				+ (SELECT count(*) FROM %1$I.outbox o WHERE o.consumer = 'audit' AND o.dead_reason IS NOT NULL)
		$body$$sql$, name);
	PERFORM tenancy.offer(name, offered) FROM unnest(ARRAY['ledger_take(integer)', 'ledger_done(bigint[], uuid[], bigint[])',
		'ledger_counts(integer)', 'ledger_unknown(uuid[])', 'ledger_waiting()']) AS offered;
END
$make$;
REVOKE ALL ON FUNCTION tenancy.make_ledger(text) FROM PUBLIC;

-- Called by functions of the owner that change rows of tenants by the clock: there is nobody whose doing
-- it is, and what they may do stands in them.
CREATE FUNCTION tenancy.upkeep(service text, relation text, verb text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format('INSERT INTO %I.ledger (kind, name, verb) VALUES (''upkeep'', $1, $2)', service)
		USING relation, verb;
END
$$;
REVOKE ALL ON FUNCTION tenancy.upkeep(text, text, text) FROM PUBLIC;

-- ---- the triggers ----

-- Tables of tenants: those that a service may itself write, as tenancy.purge() has it.
CREATE VIEW tenancy.tenant_table AS
SELECT c.oid::regclass AS relation, n.nspname::text AS service, c.relname::text AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
JOIN pg_catalog.pg_roles r ON r.rolname = 'manabiya_' || n.nspname
WHERE c.relkind = 'r' AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE');

-- TRUNCATE fires no trigger that could see rows, and so would take them without a note. Nothing of ours needs it, so it
-- is refused rather than counted: nothing is gone then that would have to be named. Whoever can drop this trigger can
-- drop the others as well.
CREATE FUNCTION tenancy.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	RAISE EXCEPTION 'TRUNCATE of %.% is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME
		USING HINT = 'It would leave no note of the rows that it takes; DELETE does.';
END
$$;
REVOKE ALL ON FUNCTION tenancy.refuse_truncate() FROM PUBLIC;

-- The triggers that must be there. `watches` are the columns that do not count, so that one which is added
-- counts without anything being made anew. A TRUNCATE is a DELETE, and excused where that is.
CREATE VIEW tenancy.wanted_trigger AS
SELECT t.relation, t.service, 'ledger_' || lower(v.verb) AS name, v.verb,
	array_to_string(u.columns, ',') COLLATE "C" AS watches
FROM tenancy.tenant_table t
CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS v (verb)
LEFT JOIN tenancy.unwatched u ON u.service IN (t.service, '*') AND u.relation = t.name
	AND u.verb = CASE v.verb WHEN 'TRUNCATE' THEN 'DELETE' ELSE v.verb END
WHERE u.verb IS NULL OR u.columns IS NOT NULL;

CREATE FUNCTION tenancy.watch() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	wanted record;
	old record;
BEGIN
	FOR old IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
		WHERE t.tgname ~ '^ledger_(insert|update|delete|truncate)$' AND NOT EXISTS (SELECT FROM tenancy.wanted_trigger w
			WHERE w.relation = t.tgrelid AND w.name = t.tgname)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', old.tgname, old.relation);
	END LOOP;
	FOR wanted IN
		SELECT w.*, t.oid IS NOT NULL AS is_old FROM tenancy.wanted_trigger w
		LEFT JOIN pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name
		WHERE t.oid IS NULL OR obj_description(t.oid, 'pg_trigger') IS DISTINCT FROM w.watches
	LOOP
		IF wanted.is_old THEN
			EXECUTE format('DROP TRIGGER %I ON %s', wanted.name, wanted.relation);
		END IF;
		IF wanted.verb = 'TRUNCATE' THEN
			EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %s FOR EACH STATEMENT'
				' EXECUTE FUNCTION tenancy.refuse_truncate()', wanted.name, wanted.relation);
		ELSIF wanted.watches IS NULL THEN
			EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s REFERENCING %s TABLE AS changed FOR EACH STATEMENT'
				' EXECUTE FUNCTION %I.ledger_statement()', wanted.name, wanted.verb, wanted.relation,
				CASE wanted.verb WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END, wanted.service);
		ELSE
			EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %I.ledger_row(%s)',
				wanted.name, wanted.relation, wanted.service,
				(SELECT string_agg(quote_literal(c), ',') FROM unnest(string_to_array(wanted.watches, ',')) c));
			EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', wanted.name, wanted.relation, wanted.watches);
		END IF;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION tenancy.watch() FROM PUBLIC;

-- What a migration changes has its reason in the migration, which is kept with its hash.
CREATE FUNCTION tenancy.on_migration() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	PERFORM tenancy.watch();
	PERFORM tenancy.upkeep(n.nspname, '*', NULL) FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'ledger_count' AND c.relkind = 'r';
	RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION tenancy.on_migration() FROM PUBLIC;
CREATE TRIGGER watch AFTER INSERT ON tenancy.migration FOR EACH ROW EXECUTE FUNCTION tenancy.on_migration();
