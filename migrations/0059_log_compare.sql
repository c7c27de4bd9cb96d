-- That the log still holds what it held: a line that is taken away or changed where it is stored, whoever did it, does
-- not fit the tree that grew with it (0050_log.sql). A verifier outside finds that; so that nobody has to wait for one,
-- audit goes round all logs, some tiles of 256 at a time, and names what does not fit as a gap (0055_completeness.sql).
--
-- Who changes the lines and makes the tree anew around them is not seen here: the checkpoints that somebody kept, and
-- the witnesses, are for that.

-- The tile that is next, in the order of tenants. Of all tenants, so no row of one.
CREATE TABLE audit.compared (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	log uuid NOT NULL,
	tile bigint NOT NULL
);
SELECT tenancy.hide('audit.compared');
INSERT INTO audit.compared (log, tile) VALUES ('00000000-0000-0000-0000-000000000000', 0);

-- The complete subtrees that some leaves make, largest first, as audit.head has them. 256 leaves make one.
CREATE FUNCTION audit.peaks_of(leaves bytea) RETURNS bytea[]
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
DECLARE
	level bytea := leaves;
	n integer := length(leaves) / 32;
	peaks bytea[] := '{}';
BEGIN
	WHILE n > 0 LOOP
		IF n & 1 = 1 THEN
			peaks := array_prepend(substr(level, 32 * n - 31), peaks);
		END IF;
		n := n / 2;
		level := (SELECT string_agg(sha256('\x01'::bytea || substr(level, 64 * i - 63, 64)), ''::bytea ORDER BY i)
			FROM generate_series(1, n) AS i);
	END LOOP;
	RETURN peaks;
END
$$;
REVOKE ALL ON FUNCTION audit.peaks_of(bytea) FROM PUBLIC;

-- Compare the next tiles, so many, and return how many gaps are new. Tiles that are pruned have no lines; the last of a
-- log, which is not full, is compared with the right edge of its tree. All of it is one statement, and so sees one
-- moment: what is appended or pruned meanwhile is there as a whole or not at all. Two instances that go at once do the
-- same twice.
--
-- Which lines are gone can be told, and a run of them is one gap; of one tile, so that the next round calls it the
-- same, wherever its turns begin. Which of 256 was changed cannot, since their hashes are kept nowhere; so the gap names
-- all of them, and has its mark from the first, since the last moves while the log grows. A plan that reads the table
-- would read it for every tile.
CREATE FUNCTION audit.compare(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
	WITH log AS MATERIALIZED (
		SELECT h.tenant_id, h.sequence, h.peaks,
			greatest(h.pruned / 256, CASE h.tenant_id WHEN c.log THEN c.tile END) AS tile
		FROM audit.compared c JOIN audit.head h ON h.tenant_id >= c.log
		WHERE h.sequence > h.pruned AND (h.tenant_id > c.log OR h.sequence > 256 * c.tile)
		ORDER BY h.tenant_id LIMIT most
	), tile AS MATERIALIZED (
		SELECT l.tenant_id, t.tile, 256 * t.tile + 1 AS first, least(256 * t.tile + 256, l.sequence) AS last, l.peaks
		FROM log l CROSS JOIN generate_series(l.tile, least(l.tile + most, (l.sequence + 255) / 256) - 1) AS t (tile)
		ORDER BY l.tenant_id, t.tile LIMIT most
	), misfit AS MATERIALIZED (
		SELECT t.tenant_id, t.tile, t.first, t.last, stored.n = t.last - t.first + 1 AS is_whole
		FROM tile t CROSS JOIN LATERAL (
			SELECT count(*) AS n,
				string_agg(sha256('\x00'::bytea || convert_to(e.line, 'UTF8')), ''::bytea ORDER BY e.sequence) AS leaves
			FROM audit.event e WHERE e.tenant_id = t.tenant_id AND e.sequence BETWEEN t.first AND t.last
		) stored
		WHERE audit.peaks_of(stored.leaves) IS DISTINCT FROM CASE t.last - t.first
			WHEN 255 THEN ARRAY(SELECT n.hash FROM audit.node n
				WHERE n.tenant_id = t.tenant_id AND n.level = 1 AND n.place = t.tile)
			ELSE t.peaks[cardinality(t.peaks) - bit_count((t.last % 256)::bit(8)) + 1:] END
	), gone AS (
		SELECT g.tenant_id, min(g.sequence) AS first, max(g.sequence) AS last FROM (
			SELECT m.tenant_id, s.sequence, m.tile,
				s.sequence - row_number() OVER (PARTITION BY m.tenant_id, m.tile ORDER BY s.sequence) AS run
			FROM misfit m CROSS JOIN generate_series(m.first, m.last) AS s (sequence)
			WHERE NOT EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = m.tenant_id AND e.sequence = s.sequence)) g
		GROUP BY g.tenant_id, g.tile, g.run
	), named AS (
		INSERT INTO audit.gap (tenant_id, id, kind, service, mark, first_sequence, last_sequence, at)
		SELECT n.tenant_id, audit.new_id(), n.kind, 'audit', n.mark, n.first, n.last,
			coalesce((SELECT e.time FROM audit.event e WHERE e.tenant_id = n.tenant_id AND e.sequence <= n.first
				ORDER BY e.sequence DESC LIMIT 1), now())
		FROM (SELECT g.tenant_id, 'event_removed' AS kind, g.first || '-' || g.last AS mark, g.first, g.last FROM gone g
			UNION ALL SELECT m.tenant_id, 'event_changed', m.first::text, m.first, m.last FROM misfit m WHERE m.is_whole) n
		WHERE (SELECT count(*) FROM audit.gap x WHERE x.tenant_id = n.tenant_id AND x.service = 'audit') < 10000
		ORDER BY n.tenant_id, n.first ON CONFLICT DO NOTHING RETURNING 1
	), next AS (
		SELECT t.tenant_id AS log, t.tile + 1 AS tile FROM tile t ORDER BY t.tenant_id, t.tile OFFSET most - 1
	), moved AS (
		UPDATE audit.compared c SET log = n.log, tile = n.tile
		FROM (SELECT * FROM next UNION ALL SELECT '00000000-0000-0000-0000-000000000000', 0 WHERE NOT EXISTS (SELECT FROM next)) n
		WHERE (c.log, c.tile) <> (n.log, n.tile) -- a round that is done in one turn writes nothing
	)
	SELECT count(*) FROM named
$$;
SELECT tenancy.offer('audit', 'compare(integer)');
