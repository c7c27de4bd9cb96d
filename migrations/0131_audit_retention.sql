-- Old events go, 256 at a time; the hashes of their lines stay, so every proof about the tree can be
-- made as before, and whoever kept a line can still prove that it was in the log.

ALTER TABLE audit.head ADD COLUMN pruned bigint NOT NULL DEFAULT 0 CHECK (pruned % 256 = 0);

-- The lowest tiles of what is gone.
CREATE TABLE audit.pruned_tile (
	tenant_id uuid NOT NULL,
	place bigint NOT NULL,
	hashes bytea NOT NULL CHECK (length(hashes) = 256 * 32),
	PRIMARY KEY (tenant_id, place)
);
ALTER TABLE audit.pruned_tile ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.pruned_tile FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit.pruned_tile FOR SELECT TO manabiya_audit
	USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e));
CREATE POLICY functions ON audit.pruned_tile TO manabiya_owner USING (true) WITH CHECK (true);
GRANT SELECT ON audit.pruned_tile TO manabiya_audit;

CREATE POLICY prune ON audit.event FOR DELETE TO manabiya_owner USING (true);

-- How many of the entered tenant's events are gone.
CREATE FUNCTION audit.pruned() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT coalesce((SELECT h.pruned FROM audit.head h WHERE h.tenant_id = (SELECT tenancy.tenant())), 0)
$$;

-- Take away tiles whose events are all older than so many days, at most one of each log and so many
-- in all. Thirteen months are kept whatever is asked: not even the service can empty the log.
CREATE FUNCTION audit.prune(days integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	oldest timestamptz := least(now() - make_interval(days => days), now() - interval '13 months');
	log record;
	gone bigint := 0;
BEGIN
	FOR log IN
		SELECT h.tenant_id, h.pruned FROM audit.head h
		JOIN audit.event e ON e.tenant_id = h.tenant_id AND e.sequence = h.pruned + 1
		WHERE e.time < oldest AND h.signed >= h.pruned + 256
		ORDER BY h.tenant_id LIMIT most FOR UPDATE OF h SKIP LOCKED
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = log.tenant_id
			AND e.sequence > log.pruned AND e.sequence <= log.pruned + 256 AND e.time >= oldest);
		INSERT INTO audit.pruned_tile (tenant_id, place, hashes)
			SELECT log.tenant_id, log.pruned / 256,
				string_agg(sha256('\x00'::bytea || convert_to(e.line, 'UTF8')), ''::bytea ORDER BY e.sequence)
			FROM audit.event e WHERE e.tenant_id = log.tenant_id
				AND e.sequence > log.pruned AND e.sequence <= log.pruned + 256;
		DELETE FROM audit.event e WHERE e.tenant_id = log.tenant_id
			AND e.sequence > log.pruned AND e.sequence <= log.pruned + 256;
		UPDATE audit.head h SET pruned = h.pruned + 256 WHERE h.tenant_id = log.tenant_id;
		gone := gone + 1;
	END LOOP;
	RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION audit.pruned() FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.prune(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.pruned() TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.prune(integer, integer) TO manabiya_audit;
