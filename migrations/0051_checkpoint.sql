-- Signed states of the logs' trees: after each change by the service, and later by witnesses.
--
-- Of each log the latest is kept, and the latest that witnesses have signed too: a checkpoint that somebody keeps is
-- compared by a consistency proof.

CREATE TABLE audit.checkpoint (
	tenant_id uuid NOT NULL,
	size bigint NOT NULL,
	note text NOT NULL, -- a signed note (C2SP)
	signed_at timestamptz NOT NULL DEFAULT now(),
	witnessed boolean NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, size)
);
SELECT tenancy.protect_readonly('audit.checkpoint');

-- The trees that have grown since they were last signed.
CREATE FUNCTION audit.checkpoint_take(most integer)
RETURNS TABLE (tenant_id uuid, size bigint, peaks text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT h.tenant_id, h.sequence,
		(SELECT string_agg(encode(p.hash, 'hex'), '' ORDER BY p.place)
			FROM unnest(h.peaks) WITH ORDINALITY AS p (hash, place))
	FROM audit.head h WHERE h.signed < h.sequence ORDER BY h.tenant_id LIMIT most
$$;

-- What a witness has signed stays until the next of that kind. The heads are locked in the order in which append()
-- does it. A log may have become smaller since it was taken: somebody changed it, and what it was is not signed beside
-- what it is.
CREATE FUNCTION audit.checkpoint_put(tenants uuid[], sizes bigint[], notes text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT FROM audit.head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
	UPDATE audit.head h SET signed = g.size
	FROM unnest(tenants, sizes) AS g (tenant_id, size)
	WHERE h.tenant_id = g.tenant_id AND h.signed < g.size AND h.sequence >= g.size;
	INSERT INTO audit.checkpoint (tenant_id, size, note)
	SELECT g.* FROM unnest(tenants, sizes, notes) AS g (tenant_id, size, note)
	JOIN audit.head h ON h.tenant_id = g.tenant_id AND h.sequence >= g.size
	ON CONFLICT DO NOTHING;
	DELETE FROM audit.checkpoint c USING unnest(tenants, sizes) AS g (tenant_id, size)
	JOIN audit.head h ON h.tenant_id = g.tenant_id AND h.sequence >= g.size
	WHERE c.tenant_id = g.tenant_id AND c.size < g.size AND NOT c.witnessed
$$;

-- Signed and not yet witnessed, from a tenant on: one whose witness refuses does not hold up the rest. A log that has
-- become smaller than what is witnessed is among them: the witness says that it has, and audit says so.
CREATE FUNCTION audit.witness_take(after uuid, most integer)
RETURNS TABLE (tenant_id uuid, witnessed bigint, size bigint, note text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT h.tenant_id, h.witnessed, c.size, c.note
	FROM audit.head h JOIN audit.checkpoint c ON c.tenant_id = h.tenant_id AND c.size = h.signed
	WHERE h.witnessed <> h.signed AND h.tenant_id > after ORDER BY h.tenant_id LIMIT most
$$;

-- The checkpoint with the witnesses' signatures. The log may have grown while they thought. If it has become smaller,
-- somebody changed it, and what it was is not brought back beside what it is.
CREATE FUNCTION audit.witness_put(tenant uuid, new_size bigint, new_note text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM FROM audit.head h WHERE h.tenant_id = tenant AND h.signed >= new_size FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	UPDATE audit.head h SET witnessed = new_size
	WHERE h.tenant_id = tenant AND (h.witnessed < new_size OR h.witnessed > h.signed);
	INSERT INTO audit.checkpoint (tenant_id, size, note, witnessed) VALUES (tenant, new_size, new_note, true)
	ON CONFLICT (tenant_id, size) DO UPDATE SET note = excluded.note, witnessed = true;
	DELETE FROM audit.checkpoint c WHERE c.tenant_id = tenant AND c.size < new_size AND c.witnessed;
END
$$;

SELECT tenancy.offer('audit', routine) FROM unnest(ARRAY['checkpoint_take(integer)', 'checkpoint_put(uuid[], bigint[], text[])',
	'witness_take(uuid, integer)', 'witness_put(uuid, bigint, text)']) AS routine;

-- Whether the signed log of the entered tenant lacks something that was done before a moment: events lie with the
-- service that wrote them until they are in the log, and there until a checkpoint covers them. All is asked of one
-- snapshot, and an event is in the log before it leaves its outbox, so none is between the two. What no consumer will
-- ever take (dead) is not waited for: completeness names it.
CREATE FUNCTION audit.lacks_before(moment timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner uuid := tenancy.tenant();
	name text;
	waits boolean;
BEGIN
	IF owner IS NULL THEN
		RAISE EXCEPTION 'no tenant is entered' USING ERRCODE = 'insufficient_privilege';
	END IF;
	FOR name IN SELECT l.service FROM tenancy.relay_lease l LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %I.outbox o WHERE o.consumer = ''audit'' AND o.dead_reason IS NULL'
			' AND o.tenant_id = $1 AND o.created_at < $2)', name) INTO waits USING owner, moment;
		IF waits THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN EXISTS (SELECT FROM audit.head h JOIN audit.event e ON e.tenant_id = h.tenant_id AND e.sequence > h.signed
		WHERE h.tenant_id = owner AND e.time < moment);
END
$$;
SELECT tenancy.offer('audit', 'lacks_before(timestamptz)');
