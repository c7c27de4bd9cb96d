-- Searching the log by what a line itself says of label and activity, and by the object.
--
-- The head of a line and its metadata are written by libcommon/ocsf.c, so that these need no JSON parser;
-- a quotation mark within a text is escaped, so that no text passes for a member.
CREATE FUNCTION audit.label_of(line text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
	SELECT substring(line FROM '"labels":[[]"([IV]+)"')
$$;
CREATE FUNCTION audit.type_of(line text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
	SELECT substring(line FROM '"type_uid":([0-9]+)')
$$;
CREATE INDEX event_object ON audit.event (tenant_id, object_id, sequence) WHERE object_id IS NOT NULL;
