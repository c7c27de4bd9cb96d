-- A tenant whose contract is closed is shut for all but its administrators, who may take its export away.
--
-- Beside shut_at, not instead of it: who does not know this column shuts such a tenant for everybody. What was
-- closed before stays so until its contract is restored and closed again.

ALTER TABLE auth.tenant ADD COLUMN is_closed boolean NOT NULL DEFAULT false;
