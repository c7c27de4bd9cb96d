-- Nothing goes by age while the lines of an archive are written: they refer to each other, and some may be old.
CREATE POLICY functions ON provisioning.roster_hold FOR SELECT TO manabiya_owner USING (true);
CREATE OR REPLACE FUNCTION provisioning.retention_next(after uuid) RETURNS TABLE (contract_id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.id, k.customer_tenant_id FROM provisioning.retention r
	JOIN provisioning.contract k ON k.customer_tenant_id = r.tenant_id
	WHERE k.state = 'active' AND k.hold_since IS NULL
		AND r.done_on IS DISTINCT FROM (now() AT TIME ZONE 'Asia/Tokyo')::date
		AND NOT EXISTS (SELECT FROM provisioning.roster_hold h WHERE h.tenant_id = r.tenant_id)
	ORDER BY k.id <= after, k.id LIMIT 1
$$;
