-- Ids of things that a service makes together with another service: see libcommon/intent.h.
--
-- A row is committed before the other service is asked and deleted in the transaction of the effect,
-- so what is left is what somebody has begun and not finished.

CREATE FUNCTION tenancy.intents(service text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format($sql$
		CREATE TABLE %1$I.intent (
			tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
			-- SHA-256 of the name: names are of people.
			name_hash bytea NOT NULL CHECK (length(name_hash) = 32),
			id uuid NOT NULL,
			asked_at timestamptz NOT NULL DEFAULT now(),
			PRIMARY KEY (tenant_id, name_hash)
		)$sql$, service);
	EXECUTE format('SELECT tenancy.protect(%L)', format('%I.intent', service));
END
$$;
REVOKE ALL ON FUNCTION tenancy.intents(text) FROM PUBLIC;

SELECT tenancy.intents('provisioning');
