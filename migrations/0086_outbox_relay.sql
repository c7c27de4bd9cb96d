-- Taking and settling rows of an outbox is for the relay alone. Until here a statement injected into a
-- handler could call outbox_take() of its own service, and read or lose what waits for other tenants.
--
-- The relay proves itself like a tenant does: it enters a tenant that has no data, for which auth gives
-- a key to services only. Handlers never hold that key.

CREATE FUNCTION tenancy.demand_relay() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
	IF tenancy.tenant() IS DISTINCT FROM '00000000-0000-7000-8000-00000000000f' THEN
		RAISE EXCEPTION 'the outbox is for the relay' USING ERRCODE = 'insufficient_privilege';
	END IF;
END
$$;
REVOKE ALL ON FUNCTION tenancy.demand_relay() FROM PUBLIC;

-- To be called for each schema that tenancy.service() makes.
CREATE FUNCTION tenancy.guard_outbox(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $guard$
DECLARE
	routine text;
BEGIN
	FOREACH routine IN ARRAY ARRAY['outbox_take(integer)', 'outbox_done(bigint[])', 'outbox_wait(bigint[])',
		'outbox_put_off(bigint[], text)']
	LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %I.%s FROM %I', name, routine, 'manabiya_' || name);
		EXECUTE format('ALTER FUNCTION %I.%s RENAME TO %I', name, routine, 'unguarded_' || split_part(routine, '(', 1));
	END LOOP;
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_take(most integer)
		RETURNS TABLE (id bigint, tenant_id uuid, consumer text, kind text, type text, event_id uuid,
			body text, created_at text, attempts integer)
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			RETURN QUERY SELECT t.* FROM %1$I.unguarded_outbox_take(most) t;
		END
		$body$$sql$, name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_done(ids bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM %1$I.unguarded_outbox_done(ids);
		END
		$body$$sql$, name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_wait(ids bigint[]) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM %1$I.unguarded_outbox_wait(ids);
		END
		$body$$sql$, name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.outbox_put_off(ids bigint[], reason text) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
		BEGIN
			PERFORM tenancy.demand_relay();
			PERFORM %1$I.unguarded_outbox_put_off(ids, reason);
		END
		$body$$sql$, name);
	FOREACH routine IN ARRAY ARRAY['outbox_take(integer)', 'outbox_done(bigint[])', 'outbox_wait(bigint[])',
		'outbox_put_off(bigint[], text)']
	LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %I.%s FROM PUBLIC', name, routine);
		EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%s TO %I', name, routine, 'manabiya_' || name);
	END LOOP;
END
$guard$;
REVOKE ALL ON FUNCTION tenancy.guard_outbox(text) FROM PUBLIC;

SELECT tenancy.guard_outbox(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'outbox' AND c.relkind = 'r';
