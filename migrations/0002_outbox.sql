-- What must reach another service exactly when a transaction commits: events, and lines for the log.
--
-- Handlers only add rows. Taking and settling them is for the relay alone, or a statement injected into a handler
-- could read or lose what waits for other tenants. The relay proves itself like a tenant does: it enters a tenant
-- that has no data, for which auth gives a key to services only. Handlers never hold that key.

CREATE FUNCTION tenancy.demand_relay() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
	IF tenancy.tenant() IS DISTINCT FROM '00000000-0000-7000-8000-00000000000f' THEN
		RAISE EXCEPTION 'the outbox is for the relay' USING ERRCODE = 'insufficient_privilege';
	END IF;
END
$$;
REVOKE ALL ON FUNCTION tenancy.demand_relay() FROM PUBLIC;

-- The relay of a service leases its outbox, not each row: marking rows before they are shipped would write every
-- one of them twice, which costs more than everything else about taking them.
CREATE TABLE tenancy.relay_lease (
	service text PRIMARY KEY,
	holder integer NOT NULL, -- the backend of the relay's connection
	held_until timestamptz NOT NULL
);

-- As long as a round may take, but one whose connection is gone is followed at once. A clock that was set
-- back leaves no lease for longer than this.
CREATE FUNCTION tenancy.relay_hold(of_service text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	UPDATE tenancy.relay_lease l SET holder = pg_backend_pid(), held_until = clock_timestamp() + interval '30 seconds'
	WHERE l.service = of_service AND (l.holder = pg_backend_pid()
		OR l.held_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 minute'
		OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.holder));
	RETURN FOUND;
END
$$;
REVOKE ALL ON FUNCTION tenancy.relay_hold(text) FROM PUBLIC;

-- How much of the entered tenant waits for delivery, by what it begins with: in the outbox of the calling
-- service, dead letters too, as mail, and as answers kept for a repetition. Relays may read rows; this tells
-- a number.
CREATE FUNCTION tenancy.waiting_under(prefixes text[]) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner uuid := tenancy.tenant();
	name text := substr(session_user, length('manabiya_') + 1);
	n bigint;
	mails bigint := 0;
	answers bigint;
BEGIN
	IF owner IS NULL THEN
		RAISE EXCEPTION 'no tenant is entered' USING ERRCODE = 'insufficient_privilege';
	END IF;
	EXECUTE format($sql$SELECT count(*) FROM %I.outbox o WHERE o.tenant_id = $1 AND o.kind = 'event'
		AND left(o.body, 8) = ANY ($2)$sql$, name) INTO n USING owner, prefixes;
	IF name = 'notification' THEN
		SELECT count(*) INTO mails FROM notification.mail m
		WHERE m.tenant_id = owner AND left(m.body, 8) = ANY (prefixes);
	END IF;
	EXECUTE format('SELECT count(*) FROM %I.idempotency i WHERE i.keys_of = $1 AND left(i.body, 8) = ANY ($2)', name)
		INTO answers USING owner, prefixes;
	RETURN n + mails + answers;
END
$$;
REVOKE ALL ON FUNCTION tenancy.waiting_under(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.waiting_under(text[])
	TO manabiya_provisioning, manabiya_learning, manabiya_notification;

CREATE FUNCTION tenancy.make_outbox(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $make$
BEGIN
	-- `id` is not the order of commits: a reader that remembers an id loses rows. `xid` is compared with the
	-- oldest transaction still running instead.
	EXECUTE format($sql$
		CREATE TABLE %1$I.outbox (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
			tenant_id uuid DEFAULT tenancy.tenant(),
			consumer text NOT NULL,
			kind text NOT NULL CHECK (kind IN ('audit', 'event')),
			type text NOT NULL,
			event_id uuid NOT NULL,
			body text NOT NULL,
			created_at timestamptz NOT NULL DEFAULT now(),
			attempts integer NOT NULL DEFAULT 0,
			due_at timestamptz NOT NULL DEFAULT now(),
			dead_reason text,
			CHECK (tenant_id IS NOT NULL OR kind = 'audit')
		) WITH (fillfactor = 70)$sql$, name); -- putting a row off updates it in place
	EXECUTE format('CREATE INDEX ON %I.outbox (consumer, xid, id) WHERE dead_reason IS NULL', name);
	EXECUTE format('CREATE INDEX outbox_dead ON %I.outbox (consumer) WHERE dead_reason IS NOT NULL', name);
	EXECUTE format('ALTER TABLE %I.outbox ENABLE ROW LEVEL SECURITY', name);
	EXECUTE format('ALTER TABLE %I.outbox FORCE ROW LEVEL SECURITY', name);
	-- A refused login has an audit row and no tenant.
	EXECUTE format($sql$CREATE POLICY tenant ON %I.outbox FOR INSERT WITH CHECK (
		tenant_id = (SELECT e.tenant_id FROM tenancy.entered e) OR (tenant_id IS NULL AND kind = 'audit'))$sql$, name);
	EXECUTE format('CREATE POLICY relay ON %I.outbox TO manabiya_owner USING (true) WITH CHECK (true)', name);
	EXECUTE format('GRANT INSERT (consumer, kind, type, event_id, body) ON %I.outbox TO %I', name, 'manabiya_' || name);
	INSERT INTO tenancy.relay_lease VALUES (name, 0, '-infinity');

	-- What is due, of every tenant. Each consumer has its own `most` rows, so that what waits for a dead one
	-- stands in nobody's way. Nothing is put off for longer than five minutes, so a row that is not due for
	-- more than ten has its time from a clock that was ahead.
	-- What the relay notes need not outlive a crash of the database: it would ship again, and what was shipped
	-- is known by its id. So its commits wait for no disk.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_take(most integer)
		RETURNS TABLE (id bigint, tenant_id uuid, consumer text, kind text, type text, event_id uuid,
			body text, created_at text, attempts integer)
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM set_config('synchronous_commit', 'off', true);
			IF NOT EXISTS (SELECT FROM %1$I.outbox o WHERE o.dead_reason IS NULL
				AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
				AND (o.due_at <= clock_timestamp() OR o.due_at > clock_timestamp() + interval '10 minutes')) THEN
				RETURN; -- mostly: then nothing is written
			END IF;
			IF NOT tenancy.relay_hold(%1$L) THEN
				RETURN;
			END IF;
			RETURN QUERY
				WITH RECURSIVE waiting AS ( -- DISTINCT would read every row
					(SELECT o.consumer AS name FROM %1$I.outbox o WHERE o.dead_reason IS NULL
					ORDER BY o.consumer LIMIT 1)
					UNION ALL
					SELECT (SELECT o.consumer FROM %1$I.outbox o
						WHERE o.dead_reason IS NULL AND o.consumer > k.name ORDER BY o.consumer LIMIT 1)
					FROM waiting k WHERE k.name IS NOT NULL
				)
				SELECT r.id, r.tenant_id, r.consumer, r.kind, r.type, r.event_id, r.body,
					tenancy.stamp(r.created_at), r.attempts
				FROM waiting k, LATERAL (
					SELECT o.* FROM %1$I.outbox o
					WHERE o.consumer = k.name AND o.dead_reason IS NULL
						AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
						AND (o.due_at <= clock_timestamp() OR o.due_at > clock_timestamp() + interval '10 minutes')
					ORDER BY o.xid, o.id LIMIT most) r
				ORDER BY r.xid, r.id;
		END
		$body$$sql$, name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_release() RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM set_config('synchronous_commit', 'off', true);
			UPDATE tenancy.relay_lease l SET held_until = '-infinity'
				WHERE l.service = %1$L AND l.holder = pg_backend_pid();
		END
		$body$$sql$, name);
	-- These plan anew each time: a plan from when the table was empty would read all of it when much waits.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_done(ids bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
		SET plan_cache_mode = force_custom_plan AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM set_config('synchronous_commit', 'off', true);
			DELETE FROM %1$I.outbox o WHERE o.id = ANY (ids);
		END
		$body$$sql$, name);
	-- The consumer was certainly not reached: that says nothing about the row, so it does not count.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_wait(ids bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
		SET plan_cache_mode = force_custom_plan AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			UPDATE %1$I.outbox o SET due_at = clock_timestamp() + interval '2 seconds' WHERE o.id = ANY (ids);
		END
		$body$$sql$, name);
	-- 1 s, 2 s, 4 s … 5 min; after 12 attempts, 23 minutes, the row waits for a person.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_put_off(ids bigint[], reason text) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
		SET plan_cache_mode = force_custom_plan AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			UPDATE %1$I.outbox o SET attempts = o.attempts + 1,
				due_at = clock_timestamp() + least(interval '1 second' * 2 ^ o.attempts, interval '5 minutes'),
				dead_reason = CASE WHEN o.attempts + 1 >= 12 THEN left(reason, 200) END
			WHERE o.id = ANY (ids);
		END
		$body$$sql$, name);
	-- How many lines for the log wait: asked once a second, so never more is counted than is of use.
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.audit_spool_depth(most bigint) RETURNS bigint
		LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $body$
			SELECT count(*) FROM (SELECT FROM %1$I.outbox o
				WHERE o.consumer = 'audit' AND o.dead_reason IS NULL LIMIT most) waiting
		$body$$sql$, name);
	PERFORM tenancy.offer(name, routine) FROM unnest(ARRAY['outbox_take(integer)', 'outbox_release()', 'outbox_done(bigint[])',
		'outbox_wait(bigint[])', 'outbox_put_off(bigint[], text)', 'audit_spool_depth(bigint)']) AS routine;
END
$make$;
REVOKE ALL ON FUNCTION tenancy.make_outbox(text) FROM PUBLIC;
