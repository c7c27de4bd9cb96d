-- The roster of a contract is held for an archive from before its first line is written until its last is: names that were free
-- when the archive was looked through once more stay free. Who finds a row here makes and deletes nobody.
CREATE TABLE provisioning.roster_hold (
	tenant_id uuid PRIMARY KEY DEFAULT tenancy.tenant(),
	import_id uuid NOT NULL,
	since timestamptz NOT NULL DEFAULT now()
);
SELECT tenancy.protect('provisioning.roster_hold');

-- `reserve` is that look; `videos` is what is written when nothing can clash any more.
ALTER TABLE learning.archive_import DROP CONSTRAINT archive_import_step_check,
	ADD CONSTRAINT archive_import_step_check
		CHECK (step IN ('structure', 'lines', 'reserve', 'write', 'videos', 'remove'));
