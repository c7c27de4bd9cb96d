-- Archives of other installations on their way in: what has arrived, how far the job is that checks
-- and then writes, and what it found. Rows of an archive itself are in no table here: only the ids
-- that its lines may refer to, while it is checked.

CREATE TABLE learning.archive_import (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	created_by uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	size bigint NOT NULL CHECK (size > 0),
	received bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND size),
	changed_at timestamptz NOT NULL DEFAULT now(),
	sealed_key text NOT NULL CHECK (tenancy.is_sealed(sealed_key)),
	state text NOT NULL DEFAULT 'uploading'
		CHECK (state IN ('uploading', 'uploaded', 'checking', 'refused', 'checked', 'applying', 'stopped', 'applied')),
	verifier text, -- the key of the log that should have signed the manifest
	-- Where the job stands, in bytes from the beginning: the header of the entry, what is read of the
	-- entry, and the manifest's line of the next one. `reserve` looks through the lines once more while the roster is
	-- held; `videos` is what is written when nothing can clash any more.
	step text NOT NULL DEFAULT 'structure'
		CHECK (step IN ('structure', 'lines', 'reserve', 'write', 'videos', 'remove')),
	entry bigint NOT NULL DEFAULT 0,
	position bigint NOT NULL DEFAULT 0,
	line bigint NOT NULL DEFAULT 0, -- of the entry, that were read
	manifest_line bigint NOT NULL DEFAULT 0,
	-- What the manifest says.
	manifest_hash text,
	signature text CHECK (signature IN ('unchecked', 'valid', 'invalid')),
	source_tenant_id uuid,
	source_log text,
	made_at text,
	checkpoint text,
	faults bigint NOT NULL DEFAULT 0,
	applied_at timestamptz,
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.archive_import');
SELECT tenancy.unwatch('learning', 'archive_import', '{UPDATE}', '{received,changed_at,state,step,entry,position,line,manifest_line,faults,manifest_hash,signature,source_tenant_id,source_log,made_at,checkpoint,verifier,applied_at}',
	'how far an import is; its beginning, its end and what it writes are events');
CREATE INDEX archive_import_work ON learning.archive_import (id) WHERE state IN ('checking', 'applying');

-- How much of each type there is.
CREATE TABLE learning.archive_count (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	import_id uuid NOT NULL,
	type text NOT NULL,
	lines bigint NOT NULL DEFAULT 0,
	written bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, import_id, type),
	FOREIGN KEY (tenant_id, import_id) REFERENCES learning.archive_import ON DELETE CASCADE
);
SELECT tenancy.protect('learning.archive_count');
SELECT tenancy.unwatch('learning', 'archive_count', '{INSERT,UPDATE,DELETE}', NULL, 'what the check of an archive has found');

-- The first of what is wrong. Places and reasons only, nothing that the archive says.
CREATE TABLE learning.archive_fault (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	import_id uuid NOT NULL,
	number bigint NOT NULL,
	entry text NOT NULL,
	line bigint,
	pointer text,
	code text NOT NULL,
	ja text NOT NULL,
	en text NOT NULL,
	PRIMARY KEY (tenant_id, import_id, number),
	FOREIGN KEY (tenant_id, import_id) REFERENCES learning.archive_import ON DELETE CASCADE
);
SELECT tenancy.protect('learning.archive_fault');
SELECT tenancy.unwatch('learning', 'archive_fault', '{INSERT,UPDATE,DELETE}', NULL, 'what the check of an archive has found');

-- What lines may refer to; `size` of a video's file.
CREATE TABLE learning.archive_reference (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	import_id uuid NOT NULL,
	type text NOT NULL,
	id uuid NOT NULL,
	size bigint,
	PRIMARY KEY (tenant_id, import_id, type, id),
	FOREIGN KEY (tenant_id, import_id) REFERENCES learning.archive_import ON DELETE CASCADE
);
SELECT tenancy.protect('learning.archive_reference');
SELECT tenancy.unwatch('learning', 'archive_reference', '{INSERT,UPDATE,DELETE}', NULL, 'what the check of an archive has found');

-- The job asks over all tenants whose import is next; what it then does, it does within that tenant.
CREATE POLICY functions ON learning.archive_import FOR SELECT TO manabiya_owner USING (true);
CREATE FUNCTION learning.archive_import_next(after uuid) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT i.tenant_id, i.id FROM learning.archive_import i
	WHERE i.state IN ('checking', 'applying') ORDER BY i.id <= after, i.id LIMIT 1
$$;
SELECT tenancy.offer('learning', 'archive_import_next(uuid)');
