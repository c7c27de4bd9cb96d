-- Each video has a random key of its own, which lies in its row, sealed for the pupil who made it or for
-- the tenant: erasing a child or changing a key is then a matter of rows and keys, never of files.
--
-- Videos from before are under no such key: this refuses a database that has any.
ALTER TABLE learning.media ADD COLUMN sealed_key text NOT NULL CHECK (tenancy.is_sealed(sealed_key));
