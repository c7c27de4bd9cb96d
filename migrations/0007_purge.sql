-- Removing all rows of a tenant, in steps that end.
--
-- One function for all services, which walks the catalogue, so that a table that is made later is not
-- forgotten: of the schema of the calling service every table of tenants that the service itself writes.
-- What it may only read, audit's log, stays: its lines hold ids and no names, and are the proof of what
-- was done.

-- What was removed so far, by store: a table, or files. It stays, as it says nothing of anybody.
CREATE TABLE tenancy.purged (
	tenant_id uuid NOT NULL,
	store text NOT NULL,
	removed bigint NOT NULL,
	PRIMARY KEY (tenant_id, store)
);
SELECT tenancy.hide('tenancy.purged');

-- The customer's tenant that the caller has proven (0001_tenancy.sql). The provider's own two are no
-- customers'.
CREATE FUNCTION tenancy.purge_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
	owner uuid := tenancy.tenant();
BEGIN
	IF owner IS NULL OR owner IN ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-00000000000f') THEN
		RAISE EXCEPTION 'no tenant that can be purged' USING ERRCODE = 'insufficient_privilege';
	END IF;
	RETURN owner;
END
$$;
REVOKE ALL ON FUNCTION tenancy.purge_tenant() FROM PUBLIC;

-- A service tells what it removed beside the database. Its own role names it, whatever runs it.
CREATE FUNCTION tenancy.purge_note(name text, n bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO tenancy.purged AS p (tenant_id, store, removed)
	VALUES (tenancy.purge_tenant(), substr(session_user, length('manabiya_') + 1) || '.' || name, n)
	ON CONFLICT (tenant_id, store) DO UPDATE SET removed = p.removed + excluded.removed
$$;

CREATE FUNCTION tenancy.purge_noted() RETURNS TABLE (store text, removed bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.store, p.removed FROM tenancy.purged p
	WHERE p.tenant_id = tenancy.purge_tenant()
		AND starts_with(p.store, substr(session_user, length('manabiya_') + 1) || '.')
	ORDER BY p.store
$$;

-- Remove up to `most` rows of the entered tenant; true when there may be more. What refers goes before
-- what it refers to. Audit lines in an outbox are not the tenant's: they go to the log.
CREATE FUNCTION tenancy.purge(most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner uuid := tenancy.purge_tenant();
	relation record;
	room bigint := most;
	gone bigint;
BEGIN
	FOR relation IN
		WITH RECURSIVE own AS (
			SELECT c.oid, c.relname FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
			WHERE c.relkind = 'r' AND n.nspname = substr(session_user, length('manabiya_') + 1)
				AND has_any_column_privilege(session_user, c.oid, 'INSERT')
		), referring (oid, depth) AS (
			SELECT o.oid, 0 FROM own o
			UNION ALL
			SELECT f.conrelid, r.depth + 1 FROM referring r
			JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = r.oid AND f.conrelid <> r.oid
			WHERE r.depth < 16 -- a circle of tables would never end
		)
		SELECT o.oid::regclass AS name, o.relname FROM own o JOIN referring r ON r.oid = o.oid
		GROUP BY o.oid, o.relname ORDER BY max(r.depth) DESC, o.relname
	LOOP
		EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY('
			'SELECT d.ctid FROM %1$s d WHERE d.tenant_id = $1 %2$s LIMIT $2))', relation.name,
			CASE relation.relname WHEN 'outbox' THEN 'AND d.kind <> ''audit''' ELSE '' END)
			USING owner, room;
		GET DIAGNOSTICS gone = ROW_COUNT;
		IF gone > 0 THEN
			PERFORM tenancy.purge_note(relation.relname, gone);
		END IF;
		room := room - gone;
		EXIT WHEN room <= 0;
	END LOOP;
	RETURN room <= 0;
END
$$;

REVOKE ALL ON FUNCTION tenancy.purge(integer), tenancy.purge_note(text, bigint), tenancy.purge_noted() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.purge(integer), tenancy.purge_note(text, bigint), tenancy.purge_noted()
	TO manabiya_auth, manabiya_provisioning, manabiya_learning, manabiya_notification, manabiya_audit;
