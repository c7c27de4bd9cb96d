-- How long a contract keeps what its people make, by kind and class: its own setting, and until which day
-- what is over has been removed. What has no rule is kept until somebody deletes it.

CREATE TABLE provisioning.retention (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	-- Rises with every change; the ETag.
	version bigint NOT NULL DEFAULT 0,
	done_on date, -- in Japan; NULL: since the latest change nothing was looked at
	PRIMARY KEY (tenant_id)
);
SELECT tenancy.protect('provisioning.retention');

-- A rule that keeps less than the one before it waits: until in_force_at that one goes on, and
-- former_days NULL is until somebody deletes it. Records have no class IV, notices no other.
CREATE TABLE provisioning.retention_rule (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	kind text NOT NULL CHECK (kind IN ('record', 'announcement', 'notice')),
	label text COLLATE "C" NOT NULL CHECK (label IN ('I', 'II', 'III', 'IV')),
	days integer NOT NULL CHECK (days BETWEEN 30 AND 3650),
	former_days integer,
	in_force_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, kind, label),
	FOREIGN KEY (tenant_id) REFERENCES provisioning.retention,
	CHECK (kind <> 'record' OR label <> 'IV'),
	CHECK (kind <> 'notice' OR label = 'IV')
);
SELECT tenancy.protect('provisioning.retention_rule');

SELECT tenancy.unwatch('provisioning', 'retention', '{UPDATE}', '{done_on}',
	'until which day what is over has been removed; each removal is an event');

-- The next contract in which something may be over: active, not held, and not looked at today. The job
-- enters its tenant as everybody does. Nothing goes by age while the lines of an archive are written: they refer
-- to each other, and some may be old.
CREATE POLICY functions ON provisioning.retention FOR SELECT TO manabiya_owner USING (true);
CREATE FUNCTION provisioning.retention_next(after uuid) RETURNS TABLE (contract_id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.id, k.customer_tenant_id FROM provisioning.retention r
	JOIN provisioning.contract k ON k.customer_tenant_id = r.tenant_id
	WHERE k.state = 'active' AND k.hold_since IS NULL
		AND r.done_on IS DISTINCT FROM (now() AT TIME ZONE 'Asia/Tokyo')::date
		AND NOT EXISTS (SELECT FROM provisioning.roster_hold h WHERE h.tenant_id = r.tenant_id)
	ORDER BY k.id <= after, k.id LIMIT 1
$$;
SELECT tenancy.offer('provisioning', 'retention_next(uuid)');
