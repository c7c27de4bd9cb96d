-- That a copy comes from an event of another service is proven, not claimed. A row in `inbox` counts as the
-- reason of what its transaction changes (0150_ledger.sql); a statement that somebody injects can write one,
-- but cannot make the MAC that the relay of the sending service got for the event.

-- The key is that of tenants; their claims begin with an id, these texts do not. An expression and no SET, so
-- that it becomes a part of the statements that call it: that is 20 us less.
CREATE FUNCTION tenancy.event_mac(key tenancy.mac_key, consumer text, tenant_id uuid, event_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT encode(sha256((key).outer_pad || sha256((key).inner_pad || convert_to(
		'event/' || consumer || '/' || tenant_id::text || '/' || event_id::text, 'UTF8'))), 'hex')
$$;
REVOKE ALL ON FUNCTION tenancy.event_mac(tenancy.mac_key, text, uuid, uuid) FROM PUBLIC;

-- For relays, which hold a key of auth's that no handler has (0086_outbox_relay.sql).
CREATE FUNCTION tenancy.event_proof(consumer text, tenant_id uuid, event_id uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	RETURN (SELECT tenancy.event_mac(k, consumer, tenant_id, event_id) FROM tenancy.mac_key k);
END
$$;
REVOKE ALL ON FUNCTION tenancy.event_proof(text, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.event_proof(text, uuid, uuid)
	TO manabiya_auth, manabiya_provisioning, manabiya_learning, manabiya_notification, manabiya_audit;

-- Since when nothing else is taken. Where there are tenants already, processes of the release before, which
-- know no proofs, may run beside for a day.
CREATE TABLE tenancy.proven_since (
	is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
	at timestamptz NOT NULL
);
INSERT INTO tenancy.proven_since (at)
	SELECT now() + CASE WHEN EXISTS (SELECT FROM audit.head) THEN interval '1 day' ELSE interval '0' END;

-- To be called for each schema that tenancy.service() makes, behind keep_ledger(). The proof is looked at and
-- not kept: who deletes the row, and has nothing else, cannot write it again.
CREATE FUNCTION tenancy.prove_copies(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $prove$
BEGIN
	EXECUTE format('ALTER TABLE %I.inbox ADD COLUMN proof text', name);
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.ledger_copy() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			IF EXISTS (SELECT FROM tenancy.mac_key k WHERE NEW.proof = tenancy.event_mac(k, %1$L, NEW.tenant_id, NEW.event_id))
				OR EXISTS (SELECT FROM tenancy.proven_since p WHERE p.at > now()) THEN
				INSERT INTO %1$I.ledger (kind, tenant_id, event_id, name)
				VALUES ('copy', NEW.tenant_id, NEW.event_id, 'inbox');
			END IF;
			NEW.proof := NULL;
			RETURN NEW;
		END
		$body$$sql$, name);
	EXECUTE format('DROP TRIGGER ledger_copy ON %I.inbox', name);
	EXECUTE format('CREATE TRIGGER ledger_copy BEFORE INSERT ON %1$I.inbox FOR EACH ROW'
		' EXECUTE FUNCTION %1$I.ledger_copy()', name);
END
$prove$;
REVOKE ALL ON FUNCTION tenancy.prove_copies(text) FROM PUBLIC;

SELECT tenancy.prove_copies(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ledger' AND c.relkind = 'r';
