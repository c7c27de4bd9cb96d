-- Exports of a tenant: one archive each, of which only a part lies in a file of its own (sealed under
-- sealed_key, <media directory>/<tenant>/<2 hex>/<export id>); videos stay where they are.
--
-- What stands where in the archive follows from these rows, so that it is the same bytes however often
-- it is read: services/learning/export.h has the layout.

CREATE TABLE learning.export (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	state text NOT NULL DEFAULT 'working' CHECK (state IN ('working', 'ready', 'invalid')),
	requested_by uuid NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT now(),
	sealed_key text NOT NULL CHECK (tenancy.is_sealed(sealed_key)),
	-- How far it is: which step, and where in it.
	step integer NOT NULL DEFAULT 0,
	place text,
	stored_size bigint NOT NULL DEFAULT 0, -- acknowledged bytes of the file
	section_begins bigint NOT NULL DEFAULT 0, -- in the file: of the section that is being written
	-- Of all videos together: how many, and what they take in the archive and in the list of files.
	videos bigint NOT NULL DEFAULT 0,
	videos_bytes bigint NOT NULL DEFAULT 0,
	videos_lines bigint NOT NULL DEFAULT 0,
	videos_hashed bigint NOT NULL DEFAULT 0,
	files_size bigint, -- of the list of files
	manifest text,
	size bigint, -- of the archive
	ready_at timestamptz,
	expires_at timestamptz,
	PRIMARY KEY (tenant_id, id),
	CHECK (state <> 'ready' OR (manifest IS NOT NULL AND files_size IS NOT NULL AND size IS NOT NULL
		AND expires_at IS NOT NULL))
);
SELECT tenancy.protect('learning.export');
-- One at a time: a second would only take as much room again.
CREATE UNIQUE INDEX export_current ON learning.export (tenant_id) WHERE state <> 'invalid';
SELECT tenancy.unwatch('learning', 'export', '{UPDATE}', '{state,step,place,stored_size,section_begins,videos,videos_bytes,videos_lines,videos_hashed,files_size,manifest,size,ready_at,expires_at}',
	'how far an export is; its beginning and its end are events');

-- A file of the archive whose bytes lie in the export's own file. `number` is its place in the archive.
CREATE TABLE learning.export_section (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	export_id uuid NOT NULL,
	number integer NOT NULL,
	name text NOT NULL,
	stored_offset bigint NOT NULL,
	size bigint NOT NULL,
	sha256 text,
	PRIMARY KEY (tenant_id, export_id, number),
	FOREIGN KEY (tenant_id, export_id) REFERENCES learning.export ON DELETE CASCADE
);
SELECT tenancy.protect('learning.export_section');
SELECT tenancy.unwatch('learning', 'export_section', '{INSERT,UPDATE,DELETE}', NULL, 'what an export is put together from');

-- A video of the archive: `begins` is where its entry begins behind the sections, `line_begins` where its
-- line in the list of files begins behind those of the sections.
CREATE TABLE learning.export_video (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	export_id uuid NOT NULL,
	media_id uuid NOT NULL,
	size bigint NOT NULL,
	begins bigint NOT NULL,
	line_begins bigint NOT NULL,
	sha256 text,
	PRIMARY KEY (tenant_id, export_id, begins),
	FOREIGN KEY (tenant_id, export_id) REFERENCES learning.export ON DELETE CASCADE
);
SELECT tenancy.protect('learning.export_video');
SELECT tenancy.unwatch('learning', 'export_video', '{INSERT,UPDATE,DELETE}', NULL, 'what an export is put together from');
CREATE INDEX export_video_line ON learning.export_video (tenant_id, export_id, line_begins);

-- The next export that has something to be done, in whatever tenant: the job enters it as everybody does.
CREATE POLICY functions ON learning.export FOR SELECT TO manabiya_owner USING (true);
CREATE FUNCTION learning.export_next(after uuid) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.tenant_id, e.id FROM learning.export e
	WHERE e.state = 'working' OR (e.state = 'ready' AND e.expires_at < now())
	ORDER BY e.id <= after, e.id LIMIT 1
$$;
SELECT tenancy.offer('learning', 'export_next(uuid)');
