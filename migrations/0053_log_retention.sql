-- Old events go, 256 at a time; the hashes of their lines stay, so every proof about the tree can be
-- made as before, and whoever kept a line can still prove that it was in the log.
--
-- Events about what is of a graver class may be kept longer than the others. The log goes from its beginning, so what
-- is younger than such an event waits for it.

-- The lowest tiles of what is gone.
CREATE TABLE audit.pruned_tile (
	tenant_id uuid NOT NULL,
	place bigint NOT NULL,
	hashes bytea NOT NULL CHECK (length(hashes) = 256 * 32),
	PRIMARY KEY (tenant_id, place)
);
SELECT tenancy.protect_readonly('audit.pruned_tile');

-- How many of the entered tenant's events are gone.
CREATE FUNCTION audit.pruned() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT coalesce((SELECT h.pruned FROM audit.head h WHERE h.tenant_id = (SELECT tenancy.tenant())), 0)
$$;

-- The class of what a line is about, I to IV, or NULL. The metadata, written by libcommon/ocsf.c, stand last in a line,
-- with less than 512 characters, and a quotation mark within a text is escaped, so that no text passes for a member.
CREATE FUNCTION audit.label_of(line text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
	SELECT nullif(split_part(split_part(right(line, 512), '"labels":["', 2), '"', 1), '')
$$;

-- Is this event older than those of its class are kept? Days by class, from I to IV; what has no class
-- is kept like class IV. Thirteen months are kept whatever is asked.
CREATE FUNCTION audit.is_over(line text, at timestamptz, days integer[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
	SELECT at < least(now() - interval '13 months', now() - make_interval(days => days[
		CASE audit.label_of(line) WHEN 'I' THEN 1 WHEN 'II' THEN 2 WHEN 'III' THEN 3 ELSE 4 END]))
$$;

-- Take away tiles whose events are all over, at most one of each log and so many in all.
--
-- A tile of which a line is missing stays, and its log with it: the hash of what is gone is kept nowhere, and without it
-- nothing could be proven of that log. That line is named (0059_log_compare.sql). So many such logs, or logs in which a
-- graver event holds up the others, must not keep a turn from the rest: hence no order. Most that are not yet over are
-- told by their last event.
CREATE FUNCTION audit.prune(days integer[], most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	log record;
	gone bigint := 0;
BEGIN
	FOR log IN
		SELECT h.tenant_id, h.pruned FROM audit.head h
		JOIN audit.event first ON first.tenant_id = h.tenant_id AND first.sequence = h.pruned + 1
		JOIN audit.event last ON last.tenant_id = h.tenant_id AND last.sequence = h.pruned + 256
		WHERE audit.is_over(first.line, first.time, days) AND audit.is_over(last.line, last.time, days)
			AND h.signed >= h.pruned + 256
		ORDER BY random() LIMIT most FOR UPDATE OF h SKIP LOCKED
	LOOP
		CONTINUE WHEN (SELECT count(*) FROM audit.event e WHERE e.tenant_id = log.tenant_id
			AND e.sequence > log.pruned AND e.sequence <= log.pruned + 256
			AND audit.is_over(e.line, e.time, days)) < 256;
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

REVOKE ALL ON FUNCTION audit.is_over(text, timestamptz, integer[]) FROM PUBLIC;
SELECT tenancy.offer('audit', 'pruned()'), tenancy.offer('audit', 'prune(integer[], integer)');
