-- Events about what is of a graver class may be kept longer than the others. The log goes from its
-- beginning, 256 events at a time, so what is younger than such an event waits for it.

-- Is this event older than those of its class are kept? Days by class, from I to IV; what has no class
-- is kept like class IV. Thirteen months are kept whatever is asked.
CREATE FUNCTION audit.is_over(line text, at timestamptz, days integer[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
	SELECT at < least(now() - interval '13 months', now() - make_interval(days => days[
		CASE audit.label_of(line) WHEN 'I' THEN 1 WHEN 'II' THEN 2 WHEN 'III' THEN 3 ELSE 4 END]))
$$;

-- Take away tiles whose events are all over, at most one of each log and so many in all.
CREATE FUNCTION audit.prune(days integer[], most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	log record;
	gone bigint := 0;
BEGIN
	FOR log IN
		SELECT h.tenant_id, h.pruned FROM audit.head h
		JOIN audit.event e ON e.tenant_id = h.tenant_id AND e.sequence = h.pruned + 1
		WHERE audit.is_over(e.line, e.time, days) AND h.signed >= h.pruned + 256
		ORDER BY h.tenant_id LIMIT most FOR UPDATE OF h SKIP LOCKED
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM audit.event e WHERE e.tenant_id = log.tenant_id
			AND e.sequence > log.pruned AND e.sequence <= log.pruned + 256
			AND NOT audit.is_over(e.line, e.time, days));
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

-- What processes from before this migration call.
CREATE OR REPLACE FUNCTION audit.prune(days integer, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT audit.prune(ARRAY[days, days, days, days], most)
$$;

REVOKE ALL ON FUNCTION audit.is_over(text, timestamptz, integer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.prune(integer[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.prune(integer[], integer) TO manabiya_audit;
