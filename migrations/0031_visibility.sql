-- Who sees what of a lesson: the one place that answers it.
--
-- Plain SQL functions without SET, so that the planner opens them up and an index on the outer condition is used;
-- they run as the caller, under row security.

-- What counts today: neither the class nor the enrolment is suspended, and the day lies in its span.
CREATE VIEW learning.effective_enrollment WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.id, e.class_id, e.user_id, e.role
	FROM learning.enrollment e
	JOIN learning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id
	WHERE k.status = 'active' AND e.status = 'active'
		AND (e.begin_date IS NULL OR e.begin_date <= tenancy.today())
		AND (e.end_date IS NULL OR e.end_date > tenancy.today());
GRANT SELECT ON learning.effective_enrollment TO manabiya_learning;

-- The classes that an instructor teaches or a student learns in today; nobody else has any.
CREATE FUNCTION learning.own_class(actor uuid, actor_role text) RETURNS TABLE (class_id uuid)
LANGUAGE sql STABLE AS $$
	SELECT e.class_id FROM learning.effective_enrollment e
	WHERE e.user_id = actor
		AND e.role = CASE actor_role WHEN 'instructor' THEN 'teacher' WHEN 'student' THEN 'student' END
$$;

-- From class II on a thing is not for pupils but the one whose it is.
CREATE FUNCTION learning.is_for_pupils(label text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT label IS NULL OR label COLLATE "C" > 'II'
$$;

-- A try with its class: the gravest of its own, that of the pupil whose it is, and that of the school class that it was
-- made in. Whoever asks of which class a try, its video or what was said of it is asks here. For classmates the school
-- class does not count: they are in it.
CREATE VIEW learning.labelled_try WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.id, t.assignment_id, t.skill_id, t.user_id, t.media_id, t.shared, t.created_at,
		t.submitted_at, t.answered_at, t.label_by, t.label AS own_label, least(m.label, k.label) AS followed_label,
		least(t.label, m.label) AS classmate_label, least(t.label, m.label, k.label) AS label
	FROM learning.try t
	LEFT JOIN learning.member m ON m.tenant_id = t.tenant_id AND m.id = t.user_id
	LEFT JOIN learning.assignment s ON s.tenant_id = t.tenant_id AND s.id = t.assignment_id
	LEFT JOIN learning.class k ON k.tenant_id = s.tenant_id AND k.id = s.class_id;
GRANT SELECT ON learning.labelled_try TO manabiya_learning;

-- The class of an assignment is that of its unit or, where this is graver, of its school class, whose pupils are in it.
CREATE FUNCTION learning.visible_assignment(actor uuid, actor_role text)
RETURNS TABLE (tenant_id uuid, id uuid, unit_id uuid, unit_title text, class_id uuid, class_title text,
	due_on date, created_at timestamptz, label text)
LANGUAGE sql STABLE AS $$
	SELECT a.tenant_id, a.id, a.unit_id, u.title, a.class_id, k.title, a.due_on, a.created_at, least(u.label, k.label)
	FROM learning.assignment a
	JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id
	JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id
	WHERE k.status = 'active'
		AND (actor_role <> 'student' OR learning.is_for_pupils(u.label))
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, actor_role) o)
$$;

-- Which tries a student sees: the own, whatever their class, and those shared with the own classes while they are for
-- classmates. An instructor: those submitted in the classes taught. Nobody else any. One branch per reason, each with
-- its index.
CREATE FUNCTION learning.visible_try(actor uuid, actor_role text)
RETURNS TABLE (tenant_id uuid, id uuid, assignment_id uuid, unit_id uuid, skill_id uuid, user_id uuid,
	media_id uuid, shared boolean, created_at timestamptz, submitted_at timestamptz, answered_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT t.tenant_id, t.id, t.assignment_id, a.unit_id, t.skill_id, t.user_id,
		t.media_id, t.shared, t.created_at, t.submitted_at, t.answered_at
	FROM learning.try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'student' AND t.user_id = actor
	UNION ALL
	SELECT t.tenant_id, t.id, t.assignment_id, a.unit_id, t.skill_id, t.user_id,
		t.media_id, t.shared, t.created_at, t.submitted_at, t.answered_at
	FROM learning.labelled_try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'student' AND t.user_id <> actor AND t.shared AND learning.is_for_pupils(t.classmate_label)
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, 'student') o)
	UNION ALL
	SELECT t.tenant_id, t.id, t.assignment_id, a.unit_id, t.skill_id, t.user_id,
		t.media_id, t.shared, t.created_at, t.submitted_at, t.answered_at
	FROM learning.try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'instructor' AND t.submitted_at IS NOT NULL
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, 'instructor') o)
$$;

-- How far a try is: the furthest step, except that one which the teacher has not answered still waits,
-- even when the pupil has reflected already. Whoever
-- lists tries joins this view: the class comes along.
CREATE VIEW learning.try_state WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.id,
		CASE
		WHEN t.submitted_at IS NULL THEN 'recorded'
		WHEN t.answered_at IS NULL THEN 'waiting'
		WHEN EXISTS (SELECT FROM learning.reflection r
			WHERE r.tenant_id = t.tenant_id AND r.try_id = t.id) THEN 'reflected'
		WHEN EXISTS (SELECT FROM learning.evaluation e
			WHERE e.tenant_id = t.tenant_id AND e.try_id = t.id) THEN 'evaluated'
		ELSE 'commented'
		END AS state,
		t.label, t.label_by
	FROM learning.labelled_try t;
GRANT SELECT ON learning.try_state TO manabiya_learning;

-- A complete video, if the actor may see it: who uploaded it, who sees a try of it, and as a model every
-- instructor of the contract and the pupils to whom a unit with it is assigned.
--
-- A video is read in windows, each of which asks. As a part of the statement, the function was planned anew each time
-- (the plan for one role looks cheaper than the one for all): 2 ms of CPU for each window, five times the rest. Here
-- the plan for all is kept.
CREATE FUNCTION learning.visible_media(actor uuid, actor_role text, media uuid)
RETURNS TABLE (tenant_id uuid, id uuid, size bigint, content_type text, uploader_role text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT m.tenant_id, m.id, m.size, m.content_type, m.uploader_role
	FROM learning.media m
	WHERE m.id = media AND m.completed_at IS NOT NULL AND (
		(m.uploader_id = actor AND m.uploader_role = actor_role)
		OR EXISTS (SELECT FROM learning.visible_try(actor, actor_role) t WHERE t.media_id = media)
		OR EXISTS (SELECT FROM learning.unit_skill us
			WHERE us.model_media_id = media AND (actor_role = 'instructor' OR us.unit_id IN (
				SELECT a.unit_id FROM learning.visible_assignment(actor, actor_role) a))));
END
$$;

-- ---- the class of what a path names: the skeleton asks these (x-object in the contract) ----

CREATE VIEW learning.label_of_try WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.id, t.label FROM learning.labelled_try t;

CREATE VIEW learning.label_of_unit WITH (security_invoker = true) AS
	SELECT u.tenant_id, u.id, u.label FROM learning.unit u;

CREATE VIEW learning.label_of_assignment WITH (security_invoker = true) AS
	SELECT a.tenant_id, a.id, least(u.label, k.label) AS label
	FROM learning.assignment a
	JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id
	LEFT JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id;

-- A video follows its try, and as a model its units.
CREATE VIEW learning.label_of_media WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.media_id AS id, t.label FROM learning.labelled_try t
	UNION ALL
	SELECT us.tenant_id, us.model_media_id, u.label
	FROM learning.unit_skill us JOIN learning.unit u ON u.tenant_id = us.tenant_id AND u.id = us.unit_id;

GRANT SELECT ON learning.label_of_try, learning.label_of_unit, learning.label_of_assignment,
	learning.label_of_media TO manabiya_learning;
