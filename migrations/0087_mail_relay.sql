-- Mail that waits is for the sender alone, as an outbox is for its relay (0086): a statement injected into
-- a handler of notification could read or lose the mail of other tenants.

ALTER FUNCTION notification.mail_take(integer) RENAME TO unguarded_mail_take;
ALTER FUNCTION notification.mail_done(uuid, uuid) RENAME TO unguarded_mail_done;
ALTER FUNCTION notification.mail_put_off(uuid, uuid, text) RENAME TO unguarded_mail_put_off;
REVOKE ALL ON FUNCTION notification.unguarded_mail_take(integer), notification.unguarded_mail_done(uuid, uuid),
	notification.unguarded_mail_put_off(uuid, uuid, text) FROM manabiya_notification;

CREATE FUNCTION notification.mail_take(most integer)
RETURNS TABLE (tenant_id uuid, id uuid, recipient text, subject text, body text, created_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	RETURN QUERY SELECT t.* FROM notification.unguarded_mail_take(most) t;
END
$$;

CREATE FUNCTION notification.mail_done(tenant uuid, mail uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	PERFORM notification.unguarded_mail_done(tenant, mail);
END
$$;

CREATE FUNCTION notification.mail_put_off(tenant uuid, mail uuid, reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	RETURN notification.unguarded_mail_put_off(tenant, mail, reason);
END
$$;

REVOKE ALL ON FUNCTION notification.mail_take(integer), notification.mail_done(uuid, uuid),
	notification.mail_put_off(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notification.mail_take(integer), notification.mail_done(uuid, uuid),
	notification.mail_put_off(uuid, uuid, text) TO manabiya_notification;
