-- The log: appended to, read by its own tenant, never changed; and one Merkle tree (RFC 6962) per tenant over its
-- lines, grown in the transaction that stores them.
--
-- The service may not write the tables: it calls append(), which gives the sequence numbers and does the hashing, so
-- that even an injected statement can neither change nor leave out nor renumber what is there, and what is stored and
-- what is hashed cannot differ.

SELECT tenancy.service('audit');

-- How far each log is. It moves with every batch, and with what is signed, looked at and witnessed of it: indexes over
-- those columns would make each move write four of them and leave a dead row for vacuum; without them a row is
-- overwritten in its page. Whoever looks for heads with news reads all of them: 10,000 in 2 ms.
CREATE TABLE audit.head (
	tenant_id uuid PRIMARY KEY,
	sequence bigint NOT NULL DEFAULT 0, -- of the last event
	-- The tree's right edge: the complete subtrees that the first `sequence` lines make, largest first.
	peaks bytea[] NOT NULL DEFAULT '{}',
	bytes bigint NOT NULL DEFAULT 0, -- of the lines with a newline each: an export of all of them has that length
	signed bigint NOT NULL DEFAULT 0,
	witnessed bigint NOT NULL DEFAULT 0,
	looked bigint NOT NULL DEFAULT 0, -- for anomalies
	pruned bigint NOT NULL DEFAULT 0 CHECK (pruned % 256 = 0)
) WITH (fillfactor = 50);
SELECT tenancy.hide('audit.head');

-- One OCSF object per row, `line` byte for byte as it went out; the other columns are for searching. Requests that
-- are alike share an event of the access log (libcommon/ocsf.h): then `actor_ids` and `object_ids` are whoever and
-- whatever its line names.
CREATE TABLE audit.event (
	tenant_id uuid NOT NULL,
	id uuid NOT NULL,
	sequence bigint NOT NULL, -- per tenant from 1, without gaps, in the order of commits
	arrival bigint GENERATED ALWAYS AS IDENTITY, -- over all tenants; rises with sequence
	time timestamptz NOT NULL,
	operation text NOT NULL,
	outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
	actor_id uuid,
	object_id text,
	line text NOT NULL,
	actor_ids uuid[],
	object_ids uuid[],
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, sequence)
);
ALTER TABLE audit.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.event FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit.event FOR SELECT TO manabiya_audit
	USING (tenant_id = (SELECT tenancy.tenant()));
CREATE POLICY append ON audit.event FOR INSERT TO manabiya_owner WITH CHECK (true);
CREATE POLICY prune ON audit.event FOR DELETE TO manabiya_owner USING (true);
CREATE POLICY functions ON audit.event FOR SELECT TO manabiya_owner USING (true);
GRANT SELECT ON audit.event TO manabiya_audit;
-- Anomalies count few kinds of events (services/audit/anomaly.c), and nothing else asks by actor or time.
CREATE INDEX event_watched ON audit.event (tenant_id, actor_id, time) WHERE operation IN ('learning.media_content',
	'learning.export_archive', 'auth.session_create', 'auth.session_second_factor');
CREATE INDEX event_login ON audit.event (tenant_id, time)
	WHERE operation IN ('auth.session_create', 'auth.session_second_factor', 'auth.session_step_up');
-- Lines of many requests are longer than what a row holds uncompressed. lz4 makes them as small as
-- PostgreSQL's own method and costs a tenth of it; a server that was built without it keeps its own.
DO $$
BEGIN
	ALTER TABLE audit.event ALTER line SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
	RAISE NOTICE 'this server has no lz4: long lines of the log are compressed more slowly';
END
$$;

-- The hash of every complete subtree of 256, 65,536, … leaves: entry `place` of level 1, 2, … in the
-- words of C2SP's tlog-tiles. Level 0 is hashed anew from the lines when it is read: a line that
-- somebody changed then does not fit what stands above it. `ends` is, at level 1, what head.bytes was.
CREATE TABLE audit.node (
	tenant_id uuid NOT NULL,
	level smallint NOT NULL CHECK (level BETWEEN 1 AND 6),
	place bigint NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	ends bigint,
	PRIMARY KEY (tenant_id, level, place)
);
CREATE INDEX node_ends ON audit.node (tenant_id, ends) WHERE level = 1;
SELECT tenancy.protect_readonly('audit.node');

-- Append leaves to their tenant's tree, given by their hashes and lengths: `bytes` with the newline. The caller holds
-- the head's lock. Each leaf closes the subtrees that end with it: one for every binary 1 at the end of the size, so
-- one on average.
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

-- Append what is not there yet, in the order given. The rows of `head` are locked in one order, so that two callers
-- wait for each other but never for ever. `line` ends with the two braces of metadata and of the object: the sequence
-- goes before them. `all_actors` and `all_objects` are texts of arrays, null where actor and object are one. That an
-- event is there already is rare, so the unique key finds it out; looking first cost more than writing, and a plan for
-- it that was made and kept while the table was small read all of the table each time.
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
