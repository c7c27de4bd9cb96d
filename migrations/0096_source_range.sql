-- From which addresses the people of a tenant may come; an empty list is from everywhere.

ALTER TABLE auth.tenant ADD COLUMN source_ranges text[] NOT NULL DEFAULT '{}';
