-- Requests that are alike share an event of the access log (libcommon/ocsf.h): so a line is about many
-- actors and objects, and accesses are no longer most of a log.
DO $$
BEGIN
	IF EXISTS (SELECT FROM audit.event WHERE operation = 'gateway.request') THEN
		RAISE EXCEPTION 'the log holds accesses of an earlier form: begin with an empty database';
	END IF;
END
$$;

-- Of an event about several: whoever and whatever its line names. Not indexed: a search for them reads
-- the narrow columns of the tenant's access events alone, some thousand rows for a school's day.
ALTER TABLE audit.event ADD COLUMN actor_ids uuid[], ADD COLUMN object_ids uuid[];

-- Few events are accesses now: they have an index of their own and stay out of the others' ways.
DROP INDEX audit.event_activity;
DROP INDEX audit.event_actor;
DROP INDEX audit.event_operation;
CREATE INDEX event_access ON audit.event (tenant_id, sequence) WHERE operation = 'gateway.request';
CREATE INDEX event_actor ON audit.event (tenant_id, actor_id, sequence) WHERE actor_id IS NOT NULL;
CREATE INDEX event_operation ON audit.event (tenant_id, operation, sequence) WHERE operation <> 'gateway.request';

-- As before (0070_audit_tree.sql), but given the leaves' hashes and lengths: `bytes` with the newline.
CREATE FUNCTION audit.grow(owner uuid, leaves bytea[], bytes integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	stack bytea[];
	depth integer;
	size bigint;
	total bigint;
	node bytea;
	height integer;
	at bigint;
BEGIN
	SELECT h.peaks, cardinality(h.peaks), h.sequence, h.bytes INTO stack, depth, size, total
		FROM audit.head h WHERE h.tenant_id = owner;
	FOR i IN 1..cardinality(leaves) LOOP
		node := leaves[i];
		total := total + bytes[i];
		at := size;
		height := 0;
		WHILE at & 1 = 1 LOOP
			node := sha256('\x01'::bytea || stack[depth] || node);
			depth := depth - 1;
			at := at >> 1;
			height := height + 1;
			IF height & 7 = 0 THEN
				INSERT INTO audit.node (tenant_id, level, place, hash, ends)
					VALUES (owner, height / 8, at, node, CASE WHEN height = 8 THEN total END);
			END IF;
		END LOOP;
		depth := depth + 1;
		stack[depth] := node;
		size := size + 1;
	END LOOP;
	UPDATE audit.head h SET sequence = size, peaks = stack[1:depth], bytes = total
		WHERE h.tenant_id = owner;
END
$$;
REVOKE ALL ON FUNCTION audit.grow(uuid, bytea[], integer[]) FROM PUBLIC;

-- Write events that are not there yet; the caller holds the locks of their heads. What is hashed is what the
-- insert returns, so it cannot differ from what is stored.
CREATE FUNCTION audit.write(tenants uuid[], ids uuid[], times_ms bigint[], operations text[], outcomes text[],
	actors text[], objects text[], all_actors text[], all_objects text[], lines text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	grown record;
	appended bigint := 0;
BEGIN
	FOR grown IN
		WITH numbered AS (
			SELECT g.*, (SELECT h.sequence FROM audit.head h WHERE h.tenant_id = g.tenant_id)
				+ row_number() OVER (PARTITION BY g.tenant_id ORDER BY g.place) AS sequence
			FROM unnest(tenants, ids, times_ms, operations, outcomes, actors, objects, all_actors, all_objects,
				lines) WITH ORDINALITY AS g (tenant_id, id, time_ms, operation, outcome, actor_id, object_id,
				actor_ids, object_ids, line, place)
		), written AS (
			INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, actor_id, object_id,
				actor_ids, object_ids, line)
			SELECT n.tenant_id, n.id, n.sequence, to_timestamp(n.time_ms / 1000.0), n.operation, n.outcome,
				nullif(n.actor_id, '')::uuid, nullif(n.object_id, ''), n.actor_ids::uuid[], n.object_ids::uuid[],
				left(n.line, -2) || ',"sequence":' || n.sequence || '}}'
			FROM numbered n ORDER BY n.place
			RETURNING tenant_id, sequence, sha256('\x00'::bytea || convert_to(line, 'UTF8')) AS leaf,
				octet_length(line) + 1 AS bytes
		)
		SELECT w.tenant_id, array_agg(w.leaf ORDER BY w.sequence) AS leaves,
			array_agg(w.bytes ORDER BY w.sequence) AS bytes FROM written w GROUP BY w.tenant_id
	LOOP
		PERFORM audit.grow(grown.tenant_id, grown.leaves, grown.bytes);
		appended := appended + cardinality(grown.leaves);
	END LOOP;
	RETURN appended;
END
$$;

-- As before, with what else a line names: texts of arrays, null where actor and object are one. That an
-- event is there already is rare, so the unique key finds it out; looking first cost more than writing, and
-- a plan for it that was made and kept while the table was small read all of the table each time.
CREATE FUNCTION audit.append(tenants uuid[], ids uuid[], times_ms bigint[], operations text[], outcomes text[],
	actors text[], objects text[], all_actors text[], all_objects text[], lines text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	owners uuid[] := ARRAY(SELECT DISTINCT t FROM unnest(tenants) t ORDER BY t);
	locked integer;
	appended bigint;
BEGIN
	LOOP
		PERFORM FROM audit.head h WHERE h.tenant_id = ANY (owners) ORDER BY h.tenant_id FOR UPDATE;
		GET DIAGNOSTICS locked = ROW_COUNT;
		EXIT WHEN locked = cardinality(owners);
		INSERT INTO audit.head (tenant_id) SELECT t FROM unnest(owners) t ORDER BY t ON CONFLICT DO NOTHING;
	END LOOP;
	BEGIN
		RETURN audit.write(tenants, ids, times_ms, operations, outcomes, actors, objects, all_actors, all_objects, lines);
	EXCEPTION WHEN unique_violation THEN -- what that wrote is undone, the locks from before it are kept
		EXECUTE 'SELECT audit.write(array_agg(n.tenant_id ORDER BY n.place), array_agg(n.id ORDER BY n.place),'
			' array_agg(n.time_ms ORDER BY n.place), array_agg(n.operation ORDER BY n.place),'
			' array_agg(n.outcome ORDER BY n.place), array_agg(n.actor_id ORDER BY n.place),'
			' array_agg(n.object_id ORDER BY n.place), array_agg(n.actor_ids ORDER BY n.place),'
			' array_agg(n.object_ids ORDER BY n.place), array_agg(n.line ORDER BY n.place)) FROM ('
			' SELECT DISTINCT ON (g.tenant_id, g.id) g.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
			' WITH ORDINALITY AS g (tenant_id, id, time_ms, operation, outcome, actor_id, object_id, actor_ids,'
			' object_ids, line, place) WHERE NOT EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = g.tenant_id'
			' AND e.id = g.id) ORDER BY g.tenant_id, g.id, g.place) n'
			INTO appended USING tenants, ids, times_ms, operations, outcomes, actors, objects, all_actors,
				all_objects, lines;
		RETURN appended;
	END;
END
$$;
REVOKE ALL ON FUNCTION audit.write(uuid[], uuid[], bigint[], text[], text[], text[], text[], text[], text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.append(uuid[], uuid[], bigint[], text[], text[], text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append(uuid[], uuid[], bigint[], text[], text[], text[], text[], text[], text[], text[]) TO manabiya_audit;

-- The release before this one calls it so, while both run.
CREATE OR REPLACE FUNCTION audit.append(tenants uuid[], ids uuid[], times_ms bigint[], operations text[],
	outcomes text[], actors text[], objects text[], lines text[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT audit.append(tenants, ids, times_ms, operations, outcomes, actors, objects,
		array_fill(NULL::text, ARRAY[cardinality(ids)]), array_fill(NULL::text, ARRAY[cardinality(ids)]), lines)
$$;
DROP FUNCTION audit.grow(uuid, text[]);
