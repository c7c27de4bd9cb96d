-- What a request that comes twice needs.

-- What was answered to a request with an Idempotency-Key, written in the transaction of its effect.
CREATE FUNCTION tenancy.make_idempotency(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $make$
BEGIN
	EXECUTE format($sql$
		CREATE TABLE %1$I.idempotency (
			tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
			user_id text NOT NULL,
			operation text NOT NULL,
			key text NOT NULL,
			fingerprint text NOT NULL,
			status integer,
			headers text,
			content_type text,
			label text, -- the class of what is in the answer, where that was raised
			body text CHECK (tenancy.is_sealed(body)),
			-- Whose keys the body lies under: of a contract that is opened, the new tenant's.
			keys_of uuid NOT NULL DEFAULT tenancy.tenant(),
			created_at timestamptz NOT NULL DEFAULT now(),
			PRIMARY KEY (tenant_id, user_id, operation, key)
		)$sql$, name);
	EXECUTE format('CREATE INDEX ON %I.idempotency (created_at)', name);
	EXECUTE format('SELECT tenancy.protect(%L)', format('%I.idempotency', name));
	EXECUTE format('CREATE POLICY expire ON %I.idempotency TO manabiya_owner USING (true)', name);
	EXECUTE format($sql$
		CREATE FUNCTION %1$I.idempotency_expire() RETURNS bigint
		LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
			WITH gone AS (
				DELETE FROM %1$I.idempotency i WHERE i.created_at < now() - interval '24 hours' RETURNING 1
			)
			SELECT count(*) FROM gone
		$body$$sql$, name);
	PERFORM tenancy.offer(name, 'idempotency_expire()');
END
$make$;
REVOKE ALL ON FUNCTION tenancy.make_idempotency(text) FROM PUBLIC;

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
