-- Searching the log for who did what and who saw what, in a time that does not grow with the log.
--
-- A term is one thing that an event can be asked for: 'actor/<id>', 'object/<id>', 'label/II'. It is noted
-- once for each 256 events of a log (a tile, as retention has it), however many of them, or of the requests
-- in them, it is said of: so a request of the access log costs a fraction of a row. A search takes the tiles
-- that have all of its terms, newest first, and looks at the events in them. Of ten million events there
-- are 39,000 tiles.
CREATE TABLE audit.term (
	tenant_id uuid NOT NULL,
	term text COLLATE "C" NOT NULL,
	tile bigint NOT NULL, -- of the events from sequence 256 * tile + 1 on
	PRIMARY KEY (tenant_id, term, tile)
);
ALTER TABLE audit.term ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.term FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit.term FOR SELECT TO manabiya_audit
	USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e));
CREATE POLICY functions ON audit.term TO manabiya_owner USING (true) WITH CHECK (true);
GRANT SELECT ON audit.term TO manabiya_audit;
CREATE INDEX term_tile ON audit.term (tenant_id, tile); -- to remove them with their events

-- As before (0117_audit_search.sql), without a regular expression, which took most of the time on a line of
-- many requests. The metadata stand last in a line, with less than 512 characters.
CREATE OR REPLACE FUNCTION audit.label_of(line text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
	SELECT nullif(split_part(split_part(right(line, 512), '"labels":["', 2), '"', 1), '')
$$;

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

-- Every term of one event. What a line says is read from its head, from the routes of the access log, which
-- stand before the requests, and from its end. No SET: the function is to become part of the statement.
CREATE FUNCTION audit.terms_of(at timestamptz, operation text, outcome text, actor_id uuid, object_id text,
	actor_ids uuid[], object_ids uuid[], line text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
	SELECT f.term FROM unnest(ARRAY['all', 'outcome/' || outcome, 'operation/' || operation, 'actor/' || actor_id,
		'object/' || object_id,
		'label/' || nullif(split_part(split_part(right(line, 512), '"labels":["', 2), '"', 1), ''),
		'verb/' || audit.verb_of(split_part(split_part(left(line, 256), '"type_uid":', 2), ',', 1)),
		'hour/' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
		CASE WHEN operation = 'gateway.request' THEN 'kind/access' ELSE 'kind/activity' END,
		CASE WHEN operation <> 'gateway.request'
			THEN 'owner/' || nullif(split_part(split_part(line, '"owner":{"uid":"', 2), '"', 1), '') END]) AS f (term)
	WHERE f.term IS NOT NULL
	UNION ALL SELECT 'actor/' || a.id FROM unnest(actor_ids) AS a (id)
	UNION ALL SELECT 'object/' || o.id FROM unnest(object_ids) AS o (id)
	UNION ALL SELECT 'operation/' || split_part(r.route, '"', 1) FROM unnest((string_to_array(CASE
		WHEN operation = 'gateway.request' THEN split_part(split_part(line, '"requests":[', 1), '"routes":[', 2) END,
		'{"operation":"'))[2:]) AS r (route)
$$;

-- A trigger and no part of append(): whatever brings an event into the log, it can be found.
CREATE FUNCTION audit.note_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO audit.term (tenant_id, term, tile)
	SELECT DISTINCT w.tenant_id, t.term, (w.sequence - 1) / 256
	FROM written w CROSS JOIN LATERAL audit.terms_of(w.time, w.operation, w.outcome, w.actor_id, w.object_id,
		w.actor_ids, w.object_ids, w.line) AS t (term)
	ON CONFLICT DO NOTHING;
	RETURN NULL;
END
$$;
CREATE TRIGGER note_terms AFTER INSERT ON audit.event REFERENCING NEW TABLE AS written FOR EACH STATEMENT
	EXECUTE FUNCTION audit.note_terms();

-- They go with their events (0131_audit_retention.sql).
CREATE FUNCTION audit.forget_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM audit.term t WHERE t.tenant_id = NEW.tenant_id AND t.tile = NEW.place;
	RETURN NULL;
END
$$;
CREATE TRIGGER forget_terms AFTER INSERT ON audit.pruned_tile FOR EACH ROW EXECUTE FUNCTION audit.forget_terms();

REVOKE ALL ON FUNCTION audit.terms_of(timestamptz, text, text, uuid, text, uuid[], uuid[], text) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.note_terms() FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.forget_terms() FROM PUBLIC;

INSERT INTO audit.term (tenant_id, term, tile)
SELECT DISTINCT e.tenant_id, t.term, (e.sequence - 1) / 256
FROM audit.event e CROSS JOIN LATERAL audit.terms_of(e.time, e.operation, e.outcome, e.actor_id, e.object_id,
	e.actor_ids, e.object_ids, e.line) AS t (term);

-- Searches do not use these any more. event_actor stays: anomalies are counted by it.
DROP INDEX audit.event_object;
DROP INDEX audit.event_operation;
DROP INDEX audit.event_access;
