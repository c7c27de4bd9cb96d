-- Classes and enrolments that rest, and enrolments with a beginning and an end.
--
-- What counts today is said once in each schema, by the view effective_enrollment: neither the class
-- nor the enrolment is suspended, and the day lies in the half-open span of the enrolment, as OneRoster
-- has it: beginDate is its first day, endDate the first day after it.

-- The day in Japan, where the schools are.
CREATE FUNCTION tenancy.today() RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT (CURRENT_TIMESTAMP AT TIME ZONE 'Asia/Tokyo')::date
$$;

-- ---- provisioning ----

ALTER TABLE provisioning.class DROP CONSTRAINT class_status_check,
	ADD CONSTRAINT class_status_check CHECK (status IN ('active', 'suspended', 'deleted'));

ALTER TABLE provisioning.enrollment DROP CONSTRAINT enrollment_status_check,
	ADD CONSTRAINT enrollment_status_check CHECK (status IN ('active', 'suspended', 'deleted')),
	ADD COLUMN is_primary boolean NOT NULL DEFAULT false,
	ADD COLUMN begin_date date,
	ADD COLUMN end_date date,
	ADD CONSTRAINT enrollment_primary_check CHECK (role = 'teacher' OR NOT is_primary),
	ADD CONSTRAINT enrollment_span_check CHECK (begin_date < end_date);

CREATE VIEW provisioning.effective_enrollment WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.id, e.class_id, e.user_id, e.role
	FROM provisioning.enrollment e
	JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id
	WHERE k.status = 'active' AND e.status = 'active'
		AND (e.begin_date IS NULL OR e.begin_date <= tenancy.today())
		AND (e.end_date IS NULL OR e.end_date > tenancy.today());
GRANT SELECT ON provisioning.effective_enrollment TO manabiya_provisioning;

-- Primary school comes before junior high, and classes without a grade last.
CREATE FUNCTION provisioning.grade_order(grade text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(translate(grade, 'PJ', '12'), '3') COLLATE "C"
$$;

-- ---- learning ----

ALTER TABLE learning.class DROP CONSTRAINT class_status_check,
	ADD CONSTRAINT class_status_check CHECK (status IN ('active', 'suspended', 'deleted'));

ALTER TABLE learning.enrollment DROP CONSTRAINT enrollment_status_check,
	ADD CONSTRAINT enrollment_status_check CHECK (status IN ('active', 'suspended', 'deleted')),
	ADD COLUMN begin_date date,
	ADD COLUMN end_date date;

CREATE VIEW learning.effective_enrollment WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.id, e.class_id, e.user_id, e.role
	FROM learning.enrollment e
	JOIN learning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id
	WHERE k.status = 'active' AND e.status = 'active'
		AND (e.begin_date IS NULL OR e.begin_date <= tenancy.today())
		AND (e.end_date IS NULL OR e.end_date > tenancy.today());
GRANT SELECT ON learning.effective_enrollment TO manabiya_learning;

-- The classes that an instructor teaches or a student learns in today; nobody else has any.
CREATE OR REPLACE FUNCTION learning.own_class(actor uuid, actor_role text) RETURNS TABLE (class_id uuid)
LANGUAGE sql STABLE AS $$
	SELECT e.class_id FROM learning.effective_enrollment e
	WHERE e.user_id = actor
		AND e.role = CASE actor_role WHEN 'instructor' THEN 'teacher' WHEN 'student' THEN 'student' END
$$;
