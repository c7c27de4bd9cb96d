-- A closed contract's administrators are told from when on everything is removed.

-- How long the time of grace will be, as it was when the contract was closed: what somebody was told stays
-- true when the option changes. NULL: closed by a version that did not know this; then the option decides.
ALTER TABLE provisioning.contract ADD COLUMN grace_days integer CHECK (grace_days >= 0);

-- The contract of the entered tenant; the row is the operator's.
CREATE FUNCTION provisioning.own_contract()
RETURNS TABLE (state text, due_at timestamptz, grace_days integer, held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.state, k.due_at, k.grace_days, k.hold_since IS NOT NULL FROM provisioning.contract k
	WHERE k.customer_tenant_id = (SELECT tenancy.tenant())
$$;
REVOKE ALL ON FUNCTION provisioning.own_contract() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION provisioning.own_contract() TO manabiya_provisioning;
