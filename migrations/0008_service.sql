-- What every service has: its schema, outbox, inbox, kept answers, ledger, and what it notes when audit is away.
CREATE FUNCTION tenancy.service(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format('CREATE SCHEMA %I', name);
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', name, 'manabiya_' || name);
	PERFORM tenancy.make_outbox(name);
	PERFORM tenancy.make_inbox(name);
	PERFORM tenancy.make_idempotency(name);
	PERFORM tenancy.make_ledger(name);
	PERFORM tenancy.make_audit_stop(name);
END
$$;
REVOKE ALL ON FUNCTION tenancy.service(text) FROM PUBLIC;
