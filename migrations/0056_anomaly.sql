-- What a tenant's administrators should look at: found by reading the log some seconds later.
--
-- One row for windows that overlap, and it tells of the one with the most. Ids and counts only; what is
-- behind them stands in the log.
CREATE TABLE audit.anomaly (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	kind text NOT NULL CHECK (kind IN ('many_videos', 'many_failures', 'odd_hours', 'incomplete_log', 'audit_stopped',
		'bulk_download', 'many_keys', 'refused_keys')),
	user_id uuid, -- whose doing; null where many may be behind it
	first_at timestamptz NOT NULL, -- when the window began that was found first: others overlap with it
	began_at timestamptz NOT NULL, -- of the window that is told
	count integer NOT NULL CHECK (count >= 0),
	found_at timestamptz NOT NULL DEFAULT now(),
	seen_at timestamptz, -- an administrator has said so
	seen_count integer, -- of what
	-- Not of twice as many.
	seen boolean NOT NULL GENERATED ALWAYS AS (seen_count IS NOT NULL AND count / 2 < greatest(seen_count, 1)) STORED,
	ended_at timestamptz, -- of what has an end of its own: that window, or audit was away
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('audit.anomaly');
SELECT tenancy.unwatch('audit', 'anomaly', '{INSERT}', NULL, 'found by reading the log'),
	tenancy.unwatch('audit', 'anomaly', '{UPDATE}', '{began_at,count,ended_at,seen}', 'found by reading the log');
CREATE UNIQUE INDEX anomaly_window ON audit.anomaly
	(tenant_id, kind, first_at, coalesce(user_id, '00000000-0000-0000-0000-000000000000'::uuid));
CREATE INDEX anomaly_unseen ON audit.anomaly (tenant_id) WHERE NOT seen;

-- The longest waiting first would need a sort of all; that each is looked at at every turn needs none.
CREATE FUNCTION audit.anomaly_take(most_tenants integer, most_events integer)
RETURNS TABLE (tenant_id uuid, looked bigint, until bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT h.tenant_id, h.looked, least(h.sequence, h.looked + most_events)
	FROM audit.head h WHERE h.looked < h.sequence ORDER BY h.tenant_id LIMIT most_tenants
$$;
-- Of the tenant that was entered.
CREATE FUNCTION audit.anomaly_done(until bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	UPDATE audit.head h SET looked = until
	WHERE h.tenant_id = (SELECT tenancy.tenant()) AND h.looked < until AND until <= h.sequence
$$;
SELECT tenancy.offer('audit', 'anomaly_take(integer, integer)'), tenancy.offer('audit', 'anomaly_done(bigint)');
