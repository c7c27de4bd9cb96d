-- Terms (0205_audit_term.sql) are noted behind the events, tile by tile when all of its 256 are there: what all
-- events of a log have in common is written once for each tile instead of once for each batch, and whoever
-- appends does not wait for it. A search looks into the tiles that are not noted yet itself.

-- How many tiles of a log, from its beginning, are noted.
CREATE TABLE audit.noted (
	tenant_id uuid PRIMARY KEY,
	tiles bigint NOT NULL
);
ALTER TABLE audit.noted ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.noted FORCE ROW LEVEL SECURITY;
CREATE POLICY functions ON audit.noted TO manabiya_owner USING (true) WITH CHECK (true);
INSERT INTO audit.noted SELECT h.tenant_id, h.sequence / 256 FROM audit.head h;

DROP TRIGGER note_terms ON audit.event;
DROP FUNCTION audit.note_terms();

-- At most so many tiles; returns how many it were. Another instance's are left to it.
CREATE FUNCTION audit.note_terms(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner uuid;
	first bigint;
	until bigint;
	done bigint := 0;
BEGIN
	FOR owner, first, until IN
		SELECT h.tenant_id, coalesce(n.tiles, 0), least(h.sequence / 256, coalesce(n.tiles, 0) + most)
		FROM audit.head h LEFT JOIN audit.noted n ON n.tenant_id = h.tenant_id
		WHERE h.sequence / 256 > coalesce(n.tiles, 0) ORDER BY h.tenant_id LIMIT most
	LOOP
		INSERT INTO audit.noted VALUES (owner, 0) ON CONFLICT DO NOTHING;
		PERFORM FROM audit.noted n WHERE n.tenant_id = owner AND n.tiles = first FOR UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		INSERT INTO audit.term (tenant_id, term, tile)
		SELECT DISTINCT owner, t.term, (e.sequence - 1) / 256
		FROM audit.event e CROSS JOIN LATERAL audit.terms_of(e.time, e.operation, e.outcome, e.actor_id, e.object_id,
			e.actor_ids, e.object_ids, e.line) AS t (term)
		WHERE e.tenant_id = owner AND e.sequence > 256 * first AND e.sequence <= 256 * until
		ON CONFLICT DO NOTHING;
		UPDATE audit.noted n SET tiles = until WHERE n.tenant_id = owner;
		done := done + until - first;
		EXIT WHEN done >= most;
	END LOOP;
	RETURN done;
END
$$;

-- Of the tenant that was entered: the first tile that is not noted, and the newest.
CREATE FUNCTION audit.search_reach() RETURNS TABLE (unnoted bigint, newest bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT n.tiles FROM audit.noted n WHERE n.tenant_id = h.tenant_id), 0), (h.sequence + 255) / 256 - 1
	FROM audit.head h WHERE h.tenant_id = (SELECT tenancy.tenant())
$$;

REVOKE ALL ON FUNCTION audit.note_terms(integer), audit.search_reach() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.note_terms(integer), audit.search_reach() TO manabiya_audit;
