-- Which version of whose key still has something under it (services/provisioning/key_end.c). Rows of the
-- operator's own tenant: ids and counts, of nobody's people.
CREATE TABLE provisioning.key_version (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	customer_tenant_id uuid NOT NULL,
	version integer NOT NULL,
	tried_at timestamptz NOT NULL, -- to count; a service that is away does not keep others waiting
	counted_at timestamptz, -- by every service
	sealed bigint,
	empty_since timestamptz, -- nothing under it needs the key any more
	destroying_at timestamptz, -- decided; the key may be gone already
	destroyed_at timestamptz,
	fingerprint text, -- of the key's file, as in its receipt
	PRIMARY KEY (tenant_id, customer_tenant_id, version)
);
SELECT tenancy.protect('provisioning.key_version');

-- How much of the entered tenant waits for delivery, by what it begins with: in the outbox of the calling
-- service, dead letters too, and as mail. Relays may read rows; this tells a number.
CREATE FUNCTION tenancy.waiting_under(prefixes text[]) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner uuid := tenancy.tenant();
	name text := substr(session_user, length('manabiya_') + 1);
	n bigint;
	mails bigint := 0;
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
	RETURN n + mails;
END
$$;
REVOKE ALL ON FUNCTION tenancy.waiting_under(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.waiting_under(text[])
	TO manabiya_provisioning, manabiya_learning, manabiya_notification;
