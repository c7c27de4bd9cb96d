-- What people are told: notices of their lessons, announcements, and mail on its way out.

SELECT tenancy.service('notification');

-- One row per recipient. Kinds and ids only: what happened is read from learning, under its rules.
CREATE TABLE notification.notice (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	user_id uuid NOT NULL,
	kind text NOT NULL
		CHECK (kind IN ('assignment', 'submission', 'comment', 'peer_comment', 'evaluation', 'reflection')),
	assignment_id uuid,
	try_id uuid,
	position_ms integer CHECK (position_ms BETWEEN 0 AND 3600000),
	created_at timestamptz NOT NULL DEFAULT now(),
	read_at timestamptz,
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('notification.notice');
CREATE INDEX notice_user ON notification.notice (tenant_id, user_id, id DESC);
CREATE INDEX notice_unread ON notification.notice (tenant_id, user_id) WHERE read_at IS NULL;
CREATE INDEX notice_try ON notification.notice (tenant_id, try_id) WHERE try_id IS NOT NULL; -- when a try goes, its notices go
SELECT tenancy.unwatch('notification', 'notice', '{UPDATE}', '{read_at}', 'that somebody has read a notice');

-- What was shut (raised to a class of which no notice tells), by which transaction of learning's, and whose notices stay.
-- What happened without having seen that is refused when it comes later (services/notification/notice.c).
CREATE TABLE notification.shut (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	object_id uuid NOT NULL, -- a try or an assignment
	xact xid8 NOT NULL,
	kept uuid[] NOT NULL,
	PRIMARY KEY (tenant_id, object_id, xact)
);
SELECT tenancy.protect('notification.shut');
SELECT tenancy.unwatch('notification', 'shut', '{INSERT,UPDATE,DELETE}', NULL, 'of what was raised notices are refused; raising is an event');

CREATE TABLE notification.announcement (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	writer_id uuid NOT NULL,
	audience text NOT NULL CHECK (audience IN ('everyone', 'contractor', 'instructor', 'student')),
	created_at timestamptz NOT NULL DEFAULT now(),
	text text NOT NULL CHECK (tenancy.is_sealed(text)), -- title and body, as one text
	label text COLLATE "C" CHECK (label IN ('I', 'II', 'III')), -- where its writer raised it above its type's class (IV)
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('notification.announcement');
-- What the operator announces is for every tenant to read, and for the operator alone to write.
CREATE POLICY from_operator ON notification.announcement FOR SELECT TO manabiya_notification
	USING (tenant_id = '00000000-0000-7000-8000-000000000001' AND (SELECT e.tenant_id FROM tenancy.entered e) IS NOT NULL);

-- The skeleton asks this (x-object in the contract).
CREATE VIEW notification.label_of_announcement WITH (security_invoker = true) AS
	SELECT a.tenant_id, a.id, a.label FROM notification.announcement a;
GRANT SELECT ON notification.label_of_announcement TO manabiya_notification;

-- Mail that must go out. A row lives until the mail server has taken it; it is written with the
-- effect that it tells of, so neither exists without the other.
CREATE TABLE notification.mail (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	recipient text NOT NULL,
	subject text NOT NULL,
	body text NOT NULL CHECK (tenancy.is_sealed(body)),
	created_at timestamptz NOT NULL DEFAULT now(),
	due_at timestamptz NOT NULL DEFAULT now(),
	attempts integer NOT NULL DEFAULT 0,
	dead_reason text,
	PRIMARY KEY (tenant_id, id)
);
ALTER TABLE notification.mail ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification.mail FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notification.mail FOR INSERT WITH CHECK (tenant_id = (SELECT e.tenant_id FROM tenancy.entered e));
CREATE POLICY sender ON notification.mail TO manabiya_owner USING (true) WITH CHECK (true);
GRANT INSERT (id, recipient, subject, body) ON notification.mail TO manabiya_notification;
CREATE INDEX mail_due ON notification.mail (due_at) WHERE dead_reason IS NULL;
SELECT tenancy.unwatch('notification', 'mail', '{UPDATE,DELETE}', NULL, 'a queue; writing a mail needs its event');

-- Handlers can only add. Mail that waits is for the sender alone, as an outbox is for its relay (0002_outbox.sql). A row
-- that was taken is not due again for two minutes, longer than sending a batch may take. They plan anew each time, as
-- those of the outbox do.
CREATE FUNCTION notification.mail_take(most integer)
RETURNS TABLE (tenant_id uuid, id uuid, recipient text, subject text, body text, created_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	RETURN QUERY
		WITH due AS (
			SELECT m.tenant_id, m.id FROM notification.mail m
			WHERE m.due_at <= clock_timestamp() AND m.dead_reason IS NULL
			ORDER BY m.due_at LIMIT most FOR UPDATE SKIP LOCKED
		)
		UPDATE notification.mail m SET due_at = clock_timestamp() + interval '2 minutes'
		FROM due WHERE m.tenant_id = due.tenant_id AND m.id = due.id
		RETURNING m.tenant_id, m.id, m.recipient, m.subject, m.body,
			(extract(epoch FROM m.created_at) * 1000)::bigint;
END
$$;

CREATE FUNCTION notification.mail_done(tenant uuid, mail uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	PERFORM tenancy.demand_relay();
	DELETE FROM notification.mail m WHERE m.tenant_id = tenant AND m.id = mail;
END
$$;

-- 5 s, 10 s, 20 s … 10 min, for a day. Says whether it was given up.
CREATE FUNCTION notification.mail_put_off(tenant uuid, mail uuid, reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	is_dead boolean;
BEGIN
	PERFORM tenancy.demand_relay();
	UPDATE notification.mail m SET attempts = m.attempts + 1,
		due_at = clock_timestamp()
			+ least(interval '5 seconds' * 2 ^ least(m.attempts, 10), interval '10 minutes'),
		dead_reason = CASE WHEN m.created_at < now() - interval '24 hours' THEN left(reason, 200) END
	WHERE m.tenant_id = tenant AND m.id = mail RETURNING m.dead_reason IS NOT NULL INTO is_dead;
	RETURN is_dead;
END
$$;

SELECT tenancy.offer('notification', 'mail_take(integer)'), tenancy.offer('notification', 'mail_done(uuid, uuid)'),
	tenancy.offer('notification', 'mail_put_off(uuid, uuid, text)');
