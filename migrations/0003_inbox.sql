-- Event ids that took effect in a service: each takes effect once.
--
-- A row here counts as the reason of what its transaction changes (0005_ledger.sql). That it comes from an event of
-- another service is proven, not claimed: a statement that somebody injects can write a row, but cannot make the MAC
-- that the relay of the sending service got for the event.

-- The key is that of tenants; their claims begin with an id, these texts do not. An expression and no SET, so
-- that it becomes a part of the statements that call it: that is 20 us less.
CREATE FUNCTION tenancy.event_mac(key tenancy.mac_key, consumer text, tenant_id uuid, event_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT encode(sha256((key).outer_pad || sha256((key).inner_pad || convert_to(
		'event/' || consumer || '/' || tenant_id::text || '/' || event_id::text, 'UTF8'))), 'hex')
$$;
REVOKE ALL ON FUNCTION tenancy.event_mac(tenancy.mac_key, text, uuid, uuid) FROM PUBLIC;

-- For relays, which hold a key of auth's that no handler has (0002_outbox.sql).
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

CREATE FUNCTION tenancy.make_inbox(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $make$
BEGIN
	EXECUTE format($sql$
		CREATE TABLE %1$I.inbox (
			tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
			event_id uuid NOT NULL,
			taken_at timestamptz NOT NULL DEFAULT now(),
			proof text, -- looked at when the row comes, and not kept
			PRIMARY KEY (tenant_id, event_id)
		)$sql$, name);
	EXECUTE format('SELECT tenancy.protect(%L)', format('%I.inbox', name));
END
$make$;
REVOKE ALL ON FUNCTION tenancy.make_inbox(text) FROM PUBLIC;
