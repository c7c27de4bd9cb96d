-- Checkpoints that witnesses have signed too: beside the latest of each log, the latest of those.
ALTER TABLE audit.head ADD COLUMN witnessed bigint NOT NULL DEFAULT 0;
CREATE INDEX head_unwitnessed ON audit.head (tenant_id) WHERE witnessed < signed;
ALTER TABLE audit.checkpoint ADD COLUMN witnessed boolean NOT NULL DEFAULT false;

-- As before (0070_audit_tree.sql), but that what a witness has signed stays until the next of that kind.
CREATE OR REPLACE FUNCTION audit.checkpoint_put(tenants uuid[], sizes bigint[], notes text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT FROM audit.head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
	UPDATE audit.head h SET signed = g.size
	FROM unnest(tenants, sizes) AS g (tenant_id, size)
	WHERE h.tenant_id = g.tenant_id AND h.signed < g.size;
	INSERT INTO audit.checkpoint (tenant_id, size, note)
	SELECT g.* FROM unnest(tenants, sizes, notes) AS g (tenant_id, size, note)
	ON CONFLICT DO NOTHING;
	DELETE FROM audit.checkpoint c USING unnest(tenants, sizes) AS g (tenant_id, size)
	WHERE c.tenant_id = g.tenant_id AND c.size < g.size AND NOT c.witnessed
$$;

-- Signed and not yet witnessed, from a tenant on: one whose witness refuses does not hold up the rest.
CREATE FUNCTION audit.witness_take(after uuid, most integer)
RETURNS TABLE (tenant_id uuid, witnessed bigint, size bigint, note text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT h.tenant_id, h.witnessed, c.size, c.note
	FROM audit.head h JOIN audit.checkpoint c ON c.tenant_id = h.tenant_id AND c.size = h.signed
	WHERE h.witnessed < h.signed AND h.tenant_id > after ORDER BY h.tenant_id LIMIT most
$$;

-- The checkpoint with the witnesses' signatures.
CREATE FUNCTION audit.witness_put(tenant uuid, new_size bigint, new_note text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT FROM audit.head h WHERE h.tenant_id = tenant FOR UPDATE;
	UPDATE audit.head h SET witnessed = new_size WHERE h.tenant_id = tenant AND h.witnessed < new_size;
	INSERT INTO audit.checkpoint (tenant_id, size, note, witnessed) VALUES (tenant, new_size, new_note, true)
	ON CONFLICT (tenant_id, size) DO UPDATE SET note = excluded.note, witnessed = true;
	DELETE FROM audit.checkpoint c WHERE c.tenant_id = tenant AND c.size < new_size AND c.witnessed
$$;

REVOKE ALL ON FUNCTION audit.witness_take(uuid, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.witness_put(uuid, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.witness_take(uuid, integer) TO manabiya_audit;
GRANT EXECUTE ON FUNCTION audit.witness_put(uuid, bigint, text) TO manabiya_audit;
