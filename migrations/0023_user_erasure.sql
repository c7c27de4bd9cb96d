-- The end of single users, as contracts have theirs (0020_contract.sql): marked (OneRoster's tobedeleted), restorable
-- until a day comes, then erased and certified. Ids and counts, of nobody's name: a row outlives whom it tells of, and
-- goes with the tenant.
--
-- A person with a row here that is not erased is `tobedeleted`; person.status stays what the others know.
CREATE TABLE provisioning.user_erasure (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL, -- rises with time
	user_id uuid NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT now(),
	due_at timestamptz NOT NULL,
	counted_at timestamptz, -- what there is of the person (user_erasure_store)
	erased_at timestamptz,
	erased_keys text, -- as in the ledger (libcommon/erasure.h)
	ledger_hash text,
	erased_event_id uuid, -- in the tenant's log
	waits_for text, -- replicas of the keyring in which the key may still be
	certificate text, -- signed (services/audit/certificate.c)
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, user_id),
	CONSTRAINT user_erasure_end_check CHECK ((erased_at IS NULL) = (erased_event_id IS NULL)
		AND (erased_at IS NOT NULL OR certificate IS NULL))
);
SELECT tenancy.protect('provisioning.user_erasure');
CREATE INDEX user_erasure_open ON provisioning.user_erasure (id) WHERE certificate IS NULL;
CREATE POLICY functions ON provisioning.user_erasure FOR SELECT TO manabiya_owner USING (true);
SELECT tenancy.unwatch('provisioning', 'user_erasure', '{UPDATE}', '{counted_at,waits_for}',
	'that an erasure has begun, and what it waits for; its end is an event');

CREATE TABLE provisioning.user_erasure_store (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	erasure_id uuid NOT NULL,
	store text NOT NULL,
	rows bigint NOT NULL,
	PRIMARY KEY (tenant_id, erasure_id, store),
	FOREIGN KEY (tenant_id, erasure_id) REFERENCES provisioning.user_erasure ON DELETE CASCADE
);
SELECT tenancy.protect('provisioning.user_erasure_store');
SELECT tenancy.unwatch('provisioning', 'user_erasure_store', '{INSERT,UPDATE}', NULL, 'what an erasure has counted; the certificate says it');

-- The next one of any tenant for which there is something to do. A legal hold stops them, and a purge makes them
-- needless.
CREATE FUNCTION provisioning.user_erasure_next(after uuid)
RETURNS TABLE (tenant_id uuid, id uuid, user_id uuid, step text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT x.tenant_id, x.id, x.user_id,
		CASE WHEN x.erased_at IS NOT NULL THEN 'certify' WHEN x.counted_at IS NULL THEN 'count' ELSE 'erase' END
	FROM provisioning.user_erasure x
	WHERE x.certificate IS NULL AND x.due_at <= now() AND NOT EXISTS (SELECT FROM provisioning.contract k
		WHERE k.customer_tenant_id = x.tenant_id
			AND (k.state IN ('purging', 'erased') OR (k.hold_since IS NOT NULL AND x.erased_at IS NULL)))
	ORDER BY x.id <= after, x.id LIMIT 1
$$;
SELECT tenancy.offer('provisioning', 'user_erasure_next(uuid)');
