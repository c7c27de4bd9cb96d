-- Users who came with an archive: their administrators fetch one-time secrets for those of them who
-- have not set a password yet, as often as they need to.
CREATE TABLE provisioning.arrival (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	user_id uuid NOT NULL,
	PRIMARY KEY (tenant_id, user_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES provisioning.person ON DELETE CASCADE
);
SELECT tenancy.protect('provisioning.arrival');
