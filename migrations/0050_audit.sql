-- The event log: appended to, read by its own tenant, never changed.
--
-- The service may not write the tables: it calls append(), which gives the sequence numbers, so that
-- even an injected statement can neither change nor leave out nor renumber what is there.

SELECT tenancy.service('audit');

-- The last sequence number of each tenant, and the last that went out to the log pipeline.
CREATE TABLE audit.head (
	tenant_id uuid PRIMARY KEY,
	sequence bigint NOT NULL DEFAULT 0,
	exported bigint NOT NULL DEFAULT 0,
	CHECK (exported BETWEEN 0 AND sequence)
);
ALTER TABLE audit.head ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.head FORCE ROW LEVEL SECURITY;
CREATE POLICY functions ON audit.head TO manabiya_owner USING (true) WITH CHECK (true);
CREATE INDEX head_news ON audit.head (tenant_id) WHERE exported < sequence;

-- One OCSF object per row, `line` byte for byte as it went out; the other columns are for searching.
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
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, sequence)
);
ALTER TABLE audit.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.event FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit.event FOR SELECT TO manabiya_audit
	USING (tenant_id = (SELECT tenancy.tenant()));
CREATE POLICY append ON audit.event FOR INSERT TO manabiya_owner WITH CHECK (true);
CREATE POLICY functions ON audit.event FOR SELECT TO manabiya_owner USING (true);
GRANT SELECT ON audit.event TO manabiya_audit;
CREATE INDEX event_actor ON audit.event (tenant_id, actor_id, sequence);
CREATE INDEX event_operation ON audit.event (tenant_id, operation, sequence);
CREATE INDEX event_time ON audit.event (tenant_id, time);

-- Append what is not there yet. The rows of `head` are locked in one order, so that two callers wait
-- for each other but never for ever; behind the lock the next statement sees what the other wrote.
-- `line` ends with the two braces of metadata and of the object: the sequence goes before them.
CREATE FUNCTION audit.append(tenants uuid[], ids uuid[], times_ms bigint[], operations text[],
	outcomes text[], actors text[], objects text[], lines text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	appended bigint;
BEGIN
	INSERT INTO audit.head (tenant_id) SELECT DISTINCT t.id FROM unnest(tenants) AS t (id)
		ORDER BY t.id ON CONFLICT DO NOTHING;
	PERFORM FROM audit.head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
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
		RETURNING tenant_id
	), counted AS (
		UPDATE audit.head h SET sequence = h.sequence + w.n
		FROM (SELECT tenant_id, count(*) AS n FROM written GROUP BY tenant_id) w
		WHERE h.tenant_id = w.tenant_id RETURNING w.n
	)
	SELECT coalesce(sum(n), 0) INTO appended FROM counted;
	RETURN appended;
END
$$;

-- What the log pipeline has not got: of each tenant a run without gaps. After a long stop much may
-- wait: few tenants and a part of the batch from each, so that a turn never sorts all of it.
CREATE FUNCTION audit.pipeline_take(most integer)
RETURNS TABLE (tenant_id uuid, id uuid, line text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT e.tenant_id, e.id, e.line
	FROM (SELECT h.tenant_id, h.exported FROM audit.head h
		WHERE h.exported < h.sequence ORDER BY h.tenant_id LIMIT 16) h
	CROSS JOIN LATERAL (
		SELECT n.tenant_id, n.id, n.arrival, n.line FROM audit.event n
		WHERE n.tenant_id = h.tenant_id AND n.sequence > h.exported
		ORDER BY n.sequence LIMIT (most + 3) / 4
	) e
	ORDER BY e.arrival LIMIT most
$$;

-- These events are durable in the pipeline's file: how many tenants had not known. Named by their ids, so
-- that lines which this database does not know (it was restored from a backup) move nothing.
CREATE FUNCTION audit.pipeline_done(tenants uuid[], ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	WITH moved AS (
		UPDATE audit.head h SET exported = d.sequence
		FROM (SELECT e.tenant_id, max(e.sequence) AS sequence
			FROM unnest(tenants, ids) AS g (tenant_id, id)
			JOIN audit.event e ON e.tenant_id = g.tenant_id AND e.id = g.id GROUP BY e.tenant_id) d
		WHERE h.tenant_id = d.tenant_id AND h.exported < d.sequence
		RETURNING 1
	)
	SELECT count(*) FROM moved
$$;

REVOKE ALL ON FUNCTION audit.append(uuid[], uuid[], bigint[], text[], text[], text[], text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.pipeline_take(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.pipeline_done(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append(uuid[], uuid[], bigint[], text[], text[], text[], text[], text[]) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.pipeline_take(integer) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.pipeline_done(uuid[], uuid[]) TO manabiya_audit;
