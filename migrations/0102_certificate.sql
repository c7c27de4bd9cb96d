-- The signed certificate of an erasure (services/audit/certificate.c).
ALTER TABLE provisioning.contract ADD COLUMN certificate text;
