-- Searching the log for who did what and who saw what, in a time that does not grow with the log.
--
-- A term is one thing that an event can be asked for: 'actor/<id>', 'object/<id>', 'label/II'. It is noted once for
-- each 256 events of a log (a tile, as retention has it), however many of them, or of the requests in them, it is said
-- of, and kept as its hash, since a search compares the events of the tiles that it finds anyway. Of ten million events
-- there are 39,000 tiles. A search takes those that have all of its terms, newest first.
--
-- Terms are noted behind the events, when all 256 of a tile are there: what all events of a log have in common is
-- written once for each tile instead of once for each batch, and whoever appends does not wait for it. A search looks
-- into the tiles that are not noted yet itself.

CREATE TABLE audit.tile_term (
	tenant_id uuid NOT NULL,
	term bigint NOT NULL, -- audit.term_key()
	tile bigint NOT NULL, -- of the events from sequence 256 * tile + 1 on
	PRIMARY KEY (tenant_id, term, tile)
);
CREATE TABLE audit.noted_tile (
	tenant_id uuid NOT NULL,
	tile bigint NOT NULL,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, tile)
);
SELECT tenancy.protect_readonly('audit.tile_term'), tenancy.protect_readonly('audit.noted_tile');

-- How many tiles of a log, from its beginning, are noted.
CREATE TABLE audit.noted (
	tenant_id uuid PRIMARY KEY,
	tiles bigint NOT NULL
);
SELECT tenancy.hide('audit.noted');

-- What a search can ask for as a verb: OCSF's type_uid of everything that the word means, over all classes.
CREATE FUNCTION audit.verb_of(type_uid text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN type_uid IN ('300101', '300401', '300606', '600301') THEN 'create'
		WHEN type_uid IN ('300402', '600302', '600501') THEN 'read'
		WHEN type_uid IN ('300199', '300403', '300599', '300699', '600303') THEN 'update'
		WHEN type_uid IN ('300106', '300404', '300605', '600304') THEN 'delete'
		WHEN type_uid = '300201' THEN 'logon'
		WHEN type_uid = '300202' THEN 'logoff'
		WHEN type_uid IN ('300102', '300110') THEN 'enable'
		WHEN type_uid IN ('300105', '300111') THEN 'disable'
		WHEN type_uid IN ('300501', '300603') THEN 'assign'
		WHEN type_uid IN ('300502', '300604') THEN 'revoke' END
$$;

-- OCSF's type_uid, from the head of a line.
CREATE FUNCTION audit.type_of(line text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
	SELECT substring(line FROM '"type_uid":([0-9]+)')
$$;

CREATE FUNCTION audit.term_key(term text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT hashtextextended(term, 0) $$;

-- What some tiles of a log can be found by. What a line says is read from it as text: its strings are quoted, so
-- what is looked for stands nowhere else; the routes of the access log stand before the requests.
CREATE FUNCTION audit.terms_in(owner uuid, first bigint, until bigint) RETURNS TABLE (term bigint, tile bigint)
LANGUAGE sql STABLE AS $$
	WITH seen AS MATERIALIZED (
		SELECT (e.sequence - 1) / 256 AS tile, e.operation, e.outcome, e.actor_id, e.object_id,
			split_part(split_part(e.line, '"type_uid":', 2), ',', 1) AS type_uid,
			nullif(split_part(split_part(e.line, '"labels":["', 2), '"', 1), '') AS label,
			nullif(split_part(split_part(e.line, '"owner":{"uid":"', 2), '"', 1), '') AS owner_id,
			e.actor_ids, e.object_ids, CASE WHEN e.operation = 'gateway.request'
				THEN split_part(split_part(e.line, '"requests":[', 1), '"routes":[', 2) END AS routes
		FROM audit.event e WHERE e.tenant_id = owner AND e.sequence > 256 * first AND e.sequence <= 256 * until
	), named AS (
		SELECT s.tile, CASE WHEN grouping(s.actor_id) = 0 THEN 'actor/' || s.actor_id
			WHEN grouping(s.object_id) = 0 THEN 'object/' || s.object_id
			WHEN grouping(s.owner_id) = 0 THEN 'owner/' || s.owner_id
			WHEN grouping(s.operation) = 0 THEN 'operation/' || s.operation
			WHEN grouping(s.outcome) = 0 THEN 'outcome/' || s.outcome
			WHEN grouping(s.label) = 0 THEN 'label/' || s.label
			WHEN grouping(s.type_uid) = 0 THEN 'verb/' || audit.verb_of(s.type_uid)
			ELSE 'all' END AS term
		FROM seen s GROUP BY GROUPING SETS ((s.tile, s.actor_id), (s.tile, s.object_id), (s.tile, s.owner_id),
			(s.tile, s.operation), (s.tile, s.outcome), (s.tile, s.label), (s.tile, s.type_uid), (s.tile))
		UNION ALL SELECT s.tile, CASE WHEN s.routes IS NULL THEN 'kind/activity' ELSE 'kind/access' END FROM seen s
		UNION ALL SELECT s.tile, t.term FROM seen s CROSS JOIN LATERAL (
			SELECT 'actor/' || a.id FROM unnest(s.actor_ids) AS a (id)
			UNION ALL SELECT 'object/' || o.id FROM unnest(s.object_ids) AS o (id)
			UNION ALL SELECT 'operation/' || split_part(r.route, '"', 1)
				FROM unnest((string_to_array(s.routes, '{"operation":"'))[2:]) AS r (route)) AS t (term)
		WHERE s.routes IS NOT NULL
	)
	SELECT DISTINCT audit.term_key(n.term), n.tile FROM named n WHERE n.term IS NOT NULL
$$;

-- At most so many tiles; returns how many it were. Another instance's are left to it.
CREATE FUNCTION audit.note_terms(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
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
		INSERT INTO audit.tile_term (tenant_id, term, tile)
		SELECT owner, t.term, t.tile FROM audit.terms_in(owner, first, until) t ORDER BY t.term, t.tile;
		INSERT INTO audit.noted_tile (tenant_id, tile, first_at, last_at)
		SELECT owner, (e.sequence - 1) / 256, min(e.time), max(e.time) FROM audit.event e
		WHERE e.tenant_id = owner AND e.sequence > 256 * first AND e.sequence <= 256 * until GROUP BY 2;
		UPDATE audit.noted n SET tiles = until WHERE n.tenant_id = owner;
		done := done + until - first;
		EXIT WHEN done >= most;
	END LOOP;
	RETURN done;
END
$$;

-- They go with their events, which are still there when their tile is kept (0053_log_retention.sql).
CREATE FUNCTION audit.forget_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM audit.tile_term t USING audit.terms_in(NEW.tenant_id, NEW.place, NEW.place + 1) gone
		WHERE t.tenant_id = NEW.tenant_id AND t.term = gone.term AND t.tile = NEW.place;
	DELETE FROM audit.noted_tile t WHERE t.tenant_id = NEW.tenant_id AND t.tile = NEW.place;
	RETURN NULL;
END
$$;
CREATE TRIGGER forget_terms AFTER INSERT ON audit.pruned_tile FOR EACH ROW EXECUTE FUNCTION audit.forget_terms();

-- Of the tenant that was entered: the first tile that is not noted, and the newest.
CREATE FUNCTION audit.search_reach() RETURNS TABLE (unnoted bigint, newest bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT n.tiles FROM audit.noted n WHERE n.tenant_id = h.tenant_id), 0), (h.sequence + 255) / 256 - 1
	FROM audit.head h WHERE h.tenant_id = (SELECT tenancy.tenant())
$$;

REVOKE ALL ON FUNCTION audit.terms_in(uuid, bigint, bigint), audit.forget_terms() FROM PUBLIC;
SELECT tenancy.offer('audit', 'note_terms(integer)'), tenancy.offer('audit', 'search_reach()');
