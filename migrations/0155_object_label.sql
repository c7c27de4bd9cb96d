-- The class of a single try or unit, where somebody raised it above that of its type (III and IV). NULL:
-- it has its type's. As text in the collation C the gravest is the least: 'I' < 'II' < 'III'.

ALTER TABLE learning.try
	ADD COLUMN label text COLLATE "C" CHECK (label IN ('I', 'II')),
	ADD COLUMN label_by text CHECK (label_by IN ('student', 'instructor')),
	ADD CONSTRAINT try_label_both_check CHECK ((label IS NULL) = (label_by IS NULL));
ALTER TABLE learning.unit
	ADD COLUMN label text COLLATE "C" CHECK (label IN ('I', 'II', 'III'));

-- From class II on a thing is not for pupils but the one whose it is.
CREATE FUNCTION learning.is_for_pupils(label text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT label IS NULL OR label COLLATE "C" > 'II'
$$;

-- ---- the class of what a path names: the skeleton asks these (x-object in the contract) ----

CREATE VIEW learning.label_of_try WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.id, t.label FROM learning.try t;

CREATE VIEW learning.label_of_unit WITH (security_invoker = true) AS
	SELECT u.tenant_id, u.id, u.label FROM learning.unit u;

CREATE VIEW learning.label_of_assignment WITH (security_invoker = true) AS
	SELECT a.tenant_id, a.id, u.label
	FROM learning.assignment a JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id;

-- A video follows its try, and as a model its units.
CREATE VIEW learning.label_of_media WITH (security_invoker = true) AS
	SELECT t.tenant_id, t.media_id AS id, t.label FROM learning.try t
	UNION ALL
	SELECT us.tenant_id, us.model_media_id, u.label
	FROM learning.unit_skill us JOIN learning.unit u ON u.tenant_id = us.tenant_id AND u.id = us.unit_id;

GRANT SELECT ON learning.label_of_try, learning.label_of_unit, learning.label_of_assignment,
	learning.label_of_media TO manabiya_learning;

-- ---- who sees what ----

-- The class of an assignment is that of its unit.
DROP FUNCTION learning.visible_assignment(uuid, text);
CREATE FUNCTION learning.visible_assignment(actor uuid, actor_role text)
RETURNS TABLE (tenant_id uuid, id uuid, unit_id uuid, unit_title text, class_id uuid, class_title text,
	due_on date, created_at timestamptz, label text)
LANGUAGE sql STABLE AS $$
	SELECT a.tenant_id, a.id, a.unit_id, u.title, a.class_id, k.title, a.due_on, a.created_at, u.label
	FROM learning.assignment a
	JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id
	JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id
	WHERE k.status = 'active'
		AND (actor_role <> 'student' OR learning.is_for_pupils(u.label))
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, actor_role) o)
$$;

-- The own tries whatever their class; those that are shared while they are for classmates.
CREATE OR REPLACE FUNCTION learning.visible_try(actor uuid, actor_role text)
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
	FROM learning.try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'student' AND t.user_id <> actor AND t.shared AND learning.is_for_pupils(t.label)
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, 'student') o)
	UNION ALL
	SELECT t.tenant_id, t.id, t.assignment_id, a.unit_id, t.skill_id, t.user_id,
		t.media_id, t.shared, t.created_at, t.submitted_at, t.answered_at
	FROM learning.try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'instructor' AND t.submitted_at IS NOT NULL
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, 'instructor') o)
$$;

-- Whoever lists tries joins this view: the class comes along.
CREATE OR REPLACE VIEW learning.try_state WITH (security_invoker = true) AS
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
	FROM learning.try t;
