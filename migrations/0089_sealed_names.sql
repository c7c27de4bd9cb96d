-- Names lie sealed as one text, family and given name and their readings (libcommon/personal.h), each under
-- the key of the person it names. Lists are sorted by the services, after opening.
-- Rows from before cannot be sealed here, where no key is: the migration stops at them.

ALTER TABLE provisioning.person
	DROP COLUMN kana_sort,
	DROP COLUMN family_name,
	DROP COLUMN given_name,
	DROP COLUMN kana_family_name,
	DROP COLUMN kana_given_name,
	ADD COLUMN name text NOT NULL CHECK (tenancy.is_sealed(name));
DROP FUNCTION provisioning.kana_key;

ALTER TABLE learning.member
	DROP COLUMN kana_sort,
	DROP COLUMN family_name,
	DROP COLUMN given_name,
	DROP COLUMN kana_family_name,
	DROP COLUMN kana_given_name,
	ADD COLUMN name text NOT NULL CHECK (tenancy.is_sealed(name));
DROP FUNCTION learning.kana_sort;
