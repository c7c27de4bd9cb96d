-- The relay of a service leases its outbox, not each row: marking rows before they were shipped wrote every
-- one of them twice, which cost more than everything else about taking them.

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

-- To be called for each schema that tenancy.service() makes, behind guard_outbox() and bound_outbox().
-- What the relay notes need not outlive a crash of the database: it would ship again, and what was shipped
-- is known by its id. So its commits wait for no disk.
CREATE FUNCTION tenancy.lease_outbox(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $lease$
BEGIN
	INSERT INTO tenancy.relay_lease VALUES (name, 0, '-infinity');
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.outbox_take(most integer)
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
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.outbox_done(ids bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM set_config('synchronous_commit', 'off', true);
			PERFORM %1$I.unguarded_outbox_done(ids);
		END
		$body$$sql$, name);
	EXECUTE format('REVOKE ALL ON FUNCTION %I.outbox_release() FROM PUBLIC', name);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %I.outbox_release() TO %I', name, 'manabiya_' || name);
	EXECUTE format('DROP FUNCTION %I.unguarded_outbox_take(integer)', name);
END
$lease$;
REVOKE ALL ON FUNCTION tenancy.lease_outbox(text) FROM PUBLIC;

SELECT tenancy.lease_outbox(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'outbox' AND c.relkind = 'r';
