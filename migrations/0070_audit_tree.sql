-- One Merkle tree (RFC 6962) per tenant over the stored lines, grown in the transaction that stores
-- them, and the signed checkpoints of it.
--
-- The hashing is done here, not in the service, for the reason that append() is here: what is stored
-- and what is hashed cannot differ, and a release that knows nothing of trees grows them too.

-- The tree's right edge: the complete subtrees that the first `sequence` lines make, largest first.
-- `bytes` counts the lines with a newline each: an export of all of them has that length.
ALTER TABLE audit.head
	ADD COLUMN peaks bytea[] NOT NULL DEFAULT '{}',
	ADD COLUMN bytes bigint NOT NULL DEFAULT 0,
	ADD COLUMN signed bigint NOT NULL DEFAULT 0;
CREATE INDEX head_unsigned ON audit.head (tenant_id) WHERE signed < sequence;

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

-- Signed notes. The latest of a tenant, and the latest that a witness has signed too.
CREATE TABLE audit.checkpoint (
	tenant_id uuid NOT NULL,
	size bigint NOT NULL,
	note text NOT NULL,
	signed_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, size)
);

DO $$
DECLARE
	relation regclass;
BEGIN
	FOREACH relation IN ARRAY ARRAY['audit.node', 'audit.checkpoint']::regclass[] LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
		EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
		EXECUTE format('CREATE POLICY tenant ON %s FOR SELECT TO manabiya_audit'
			' USING (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e))', relation);
		EXECUTE format('CREATE POLICY functions ON %s TO manabiya_owner USING (true) WITH CHECK (true)', relation);
		EXECUTE format('GRANT SELECT ON %s TO manabiya_audit', relation);
	END LOOP;
END
$$;

-- Append lines that have just been stored to their tenant's tree. The caller holds the head's lock.
-- Each leaf closes the subtrees that end with it: one for every binary 1 at the end of the size, so
-- one on average.
CREATE FUNCTION audit.grow(owner uuid, lines text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	stack bytea[];
	depth integer;
	size bigint;
	total bigint;
	raw bytea;
	node bytea;
	line text;
	height integer;
	at bigint;
	levels integer[] := '{}';
	places bigint[] := '{}';
	hashes bytea[] := '{}';
	endings bigint[] := '{}';
BEGIN
	SELECT h.peaks, cardinality(h.peaks), h.sequence, h.bytes INTO stack, depth, size, total
		FROM audit.head h WHERE h.tenant_id = owner;
	FOREACH line IN ARRAY lines LOOP
		raw := convert_to(line, 'UTF8');
		node := sha256('\x00'::bytea || raw);
		total := total + length(raw) + 1;
		at := size;
		height := 0;
		WHILE at & 1 = 1 LOOP
			node := sha256('\x01'::bytea || stack[depth] || node);
			depth := depth - 1;
			at := at >> 1;
			height := height + 1;
			IF height & 7 = 0 THEN
				levels := levels || height / 8;
				places := places || at;
				hashes := hashes || node;
				endings := endings || CASE WHEN height = 8 THEN total END;
			END IF;
		END LOOP;
		depth := depth + 1;
		stack[depth] := node;
		size := size + 1;
	END LOOP;
	IF cardinality(levels) > 0 THEN
		INSERT INTO audit.node (tenant_id, level, place, hash, ends)
			SELECT owner, n.* FROM unnest(levels, places, hashes, endings) AS n;
	END IF;
	UPDATE audit.head h SET sequence = size, peaks = stack[1:depth], bytes = total
		WHERE h.tenant_id = owner;
END
$$;
REVOKE ALL ON FUNCTION audit.grow(uuid, text[]) FROM PUBLIC;

-- As before (0050_audit.sql), but that the head moves with the tree.
CREATE OR REPLACE FUNCTION audit.append(tenants uuid[], ids uuid[], times_ms bigint[], operations text[],
	outcomes text[], actors text[], objects text[], lines text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	grown record;
	appended bigint := 0;
BEGIN
	INSERT INTO audit.head (tenant_id) SELECT DISTINCT t.id FROM unnest(tenants) AS t (id)
		ORDER BY t.id ON CONFLICT DO NOTHING;
	PERFORM FROM audit.head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
	FOR grown IN
		WITH given AS (
			SELECT DISTINCT ON (g.tenant_id, g.id) g.*
			FROM unnest(tenants, ids, times_ms, operations, outcomes, actors, objects, lines) WITH ORDINALITY
				AS g (tenant_id, id, time_ms, operation, outcome, actor_id, object_id, line, place)
			WHERE NOT EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = g.tenant_id AND e.id = g.id)
			ORDER BY g.tenant_id, g.id, g.place
		), numbered AS (
			SELECT g.*, h.sequence + row_number() OVER (PARTITION BY g.tenant_id ORDER BY g.place) AS sequence
			FROM given g JOIN audit.head h ON h.tenant_id = g.tenant_id
		), written AS (
			INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, actor_id, object_id, line)
			SELECT n.tenant_id, n.id, n.sequence, to_timestamp(n.time_ms / 1000.0), n.operation, n.outcome,
				nullif(n.actor_id, '')::uuid, nullif(n.object_id, ''),
				left(n.line, -2) || ',"sequence":' || n.sequence || '}}'
			FROM numbered n ORDER BY n.place
			RETURNING tenant_id, sequence, line
		)
		SELECT w.tenant_id, array_agg(w.line ORDER BY w.sequence) AS lines FROM written w GROUP BY w.tenant_id
	LOOP
		PERFORM audit.grow(grown.tenant_id, grown.lines);
		appended := appended + cardinality(grown.lines);
	END LOOP;
	RETURN appended;
END
$$;

-- The trees of what is there already, in pieces that fit in memory.
DO $$
DECLARE
	owner uuid;
	last bigint;
	sent bigint;
	done bigint;
BEGIN
	FOR owner, last, sent IN SELECT h.tenant_id, h.sequence, h.exported FROM audit.head h WHERE h.sequence > 0 LOOP
		UPDATE audit.head h SET exported = 0, sequence = 0 WHERE h.tenant_id = owner;
		done := 0;
		WHILE done < last LOOP
			PERFORM audit.grow(owner, (SELECT array_agg(e.line ORDER BY e.sequence) FROM audit.event e
				WHERE e.tenant_id = owner AND e.sequence > done AND e.sequence <= done + 10000));
			done := least(done + 10000, last);
		END LOOP;
		UPDATE audit.head h SET exported = sent WHERE h.tenant_id = owner;
	END LOOP;
END
$$;

-- The trees that have grown since they were last signed.
CREATE FUNCTION audit.checkpoint_take(most integer)
RETURNS TABLE (tenant_id uuid, size bigint, peaks text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT h.tenant_id, h.sequence,
		(SELECT string_agg(encode(p.hash, 'hex'), '' ORDER BY p.place)
			FROM unnest(h.peaks) WITH ORDINALITY AS p (hash, place))
	FROM audit.head h WHERE h.signed < h.sequence ORDER BY h.tenant_id LIMIT most
$$;

-- Only the latest is of use: a checkpoint that somebody keeps is compared by a consistency proof. The
-- heads are locked in the order in which append() does it.
CREATE FUNCTION audit.checkpoint_put(tenants uuid[], sizes bigint[], notes text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT FROM audit.head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
	UPDATE audit.head h SET signed = g.size
	FROM unnest(tenants, sizes) AS g (tenant_id, size)
	WHERE h.tenant_id = g.tenant_id AND h.signed < g.size;
	INSERT INTO audit.checkpoint (tenant_id, size, note)
	SELECT g.* FROM unnest(tenants, sizes, notes) AS g (tenant_id, size, note)
	ON CONFLICT DO NOTHING;
	DELETE FROM audit.checkpoint c USING unnest(tenants, sizes) AS g (tenant_id, size)
	WHERE c.tenant_id = g.tenant_id AND c.size < g.size
$$;

REVOKE ALL ON FUNCTION audit.checkpoint_take(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.checkpoint_put(uuid[], bigint[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.checkpoint_take(integer) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.checkpoint_put(uuid[], bigint[], text[]) TO manabiya_audit;
