-- Lessons: skills, units, videos, tries and what is said about them.
--
-- member, class and enrollment are copies of what provisioning owns, fed by events that arrive in
-- any order: nothing refers to them by a foreign key, the higher version wins, and a deletion stays
-- as a row so that a late older event cannot bring the thing back.

SELECT tenancy.service('learning');

-- Readings as lists sort them: NFKC (half-width kana become full), katakana to hiragana.
CREATE FUNCTION learning.kana_sort(family text, given text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT translate(normalize(family || ' ' || given, NFKC),
		'ァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロヮワヰヱヲンヴヵヶ',
		'ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもゃやゅゆょよらりるれろゎわゐゑをんゔゕゖ')
$$;

CREATE TABLE learning.member (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL,
	role text NOT NULL CHECK (role IN ('operator', 'contractor', 'instructor', 'student')),
	status text NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
	family_name text NOT NULL,
	given_name text NOT NULL,
	kana_family_name text NOT NULL,
	kana_given_name text NOT NULL,
	kana_sort text COLLATE "C" NOT NULL
		GENERATED ALWAYS AS (learning.kana_sort(kana_family_name, kana_given_name)) STORED,
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.member');

CREATE TABLE learning.class (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL,
	title text NOT NULL,
	status text NOT NULL CHECK (status IN ('active', 'deleted')),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.class');

CREATE TABLE learning.enrollment (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL,
	class_id uuid NOT NULL,
	user_id uuid NOT NULL,
	role text NOT NULL CHECK (role IN ('teacher', 'student')),
	status text NOT NULL CHECK (status IN ('active', 'deleted')),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.enrollment');
CREATE INDEX enrollment_user ON learning.enrollment (tenant_id, user_id) WHERE status = 'active';
CREATE INDEX enrollment_class ON learning.enrollment (tenant_id, class_id) WHERE status = 'active';

CREATE TABLE learning.skill (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	name text NOT NULL,
	area text NOT NULL CHECK (area IN ('mat', 'vault', 'bar', 'swimming', 'other')),
	curriculum_code text,
	points text,
	position integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.skill');

-- A video, complete once completed_at is set. Its bytes lie in the media store; `received` is the
-- authority on how many of them are acknowledged.
CREATE TABLE learning.media (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	uploader_id uuid NOT NULL,
	uploader_role text NOT NULL CHECK (uploader_role IN ('instructor', 'student')),
	size bigint NOT NULL CHECK (size > 0),
	received bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND size),
	content_type text CHECK (content_type IN ('video/mp4', 'video/webm', 'video/quicktime')),
	created_at timestamptz NOT NULL DEFAULT now(),
	appended_at timestamptz NOT NULL DEFAULT now(),
	completed_at timestamptz,
	PRIMARY KEY (tenant_id, id),
	CHECK (completed_at IS NULL OR (received = size AND content_type IS NOT NULL))
);
SELECT tenancy.protect('learning.media');
CREATE INDEX media_unfinished ON learning.media (tenant_id, uploader_id) WHERE completed_at IS NULL;

CREATE TABLE learning.unit (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	title text NOT NULL,
	description text,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.unit');

CREATE TABLE learning.unit_skill (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	unit_id uuid NOT NULL,
	skill_id uuid NOT NULL,
	position integer NOT NULL,
	model_media_id uuid,
	PRIMARY KEY (tenant_id, unit_id, skill_id),
	FOREIGN KEY (tenant_id, unit_id) REFERENCES learning.unit,
	FOREIGN KEY (tenant_id, skill_id) REFERENCES learning.skill,
	FOREIGN KEY (tenant_id, model_media_id) REFERENCES learning.media
);
SELECT tenancy.protect('learning.unit_skill');
CREATE INDEX unit_skill_model ON learning.unit_skill (tenant_id, model_media_id);

CREATE TABLE learning.assignment (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	unit_id uuid NOT NULL,
	class_id uuid NOT NULL,
	due_on date,
	created_by uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, unit_id) REFERENCES learning.unit
);
SELECT tenancy.protect('learning.assignment');
CREATE INDEX assignment_class ON learning.assignment (tenant_id, class_id);
CREATE INDEX assignment_unit ON learning.assignment (tenant_id, unit_id);

-- Every goal that was ever written; the latest one counts.
CREATE TABLE learning.goal (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	assignment_id uuid NOT NULL,
	user_id uuid NOT NULL,
	goal text NOT NULL,
	condition smallint NOT NULL CHECK (condition BETWEEN 1 AND 5),
	written_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, assignment_id) REFERENCES learning.assignment
);
SELECT tenancy.protect('learning.goal');
CREATE INDEX goal_latest ON learning.goal (tenant_id, assignment_id, user_id, id DESC);

-- A video belongs to one try: showing the try is what shows the video. answered_at is when a teacher
-- first commented or evaluated; what waits is found by it without a look at every comment.
CREATE TABLE learning.try (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	assignment_id uuid NOT NULL,
	skill_id uuid NOT NULL,
	user_id uuid NOT NULL,
	media_id uuid NOT NULL,
	shared boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	submitted_at timestamptz,
	answered_at timestamptz,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, media_id),
	FOREIGN KEY (tenant_id, assignment_id) REFERENCES learning.assignment,
	FOREIGN KEY (tenant_id, skill_id) REFERENCES learning.skill,
	FOREIGN KEY (tenant_id, media_id) REFERENCES learning.media,
	CHECK (submitted_at IS NOT NULL OR NOT shared)
);
SELECT tenancy.protect('learning.try');
CREATE INDEX try_assignment ON learning.try (tenant_id, assignment_id, user_id);
CREATE INDEX try_user ON learning.try (tenant_id, user_id);
CREATE INDEX try_shared ON learning.try (tenant_id, assignment_id) WHERE shared;
CREATE INDEX try_waiting ON learning.try (tenant_id, assignment_id)
	WHERE submitted_at IS NOT NULL AND answered_at IS NULL;

CREATE TABLE learning.comment (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	try_id uuid NOT NULL,
	author_id uuid NOT NULL,
	author_role text NOT NULL CHECK (author_role IN ('instructor', 'student')),
	position_ms integer NOT NULL CHECK (position_ms >= 0),
	text text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, try_id) REFERENCES learning.try
);
SELECT tenancy.protect('learning.comment');
CREATE INDEX comment_try ON learning.comment (tenant_id, try_id);

CREATE TABLE learning.evaluation (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	try_id uuid NOT NULL,
	evaluator_id uuid NOT NULL,
	knowledge_and_skills text NOT NULL CHECK (knowledge_and_skills IN ('A', 'B', 'C')),
	thinking_judgement_expression text NOT NULL CHECK (thinking_judgement_expression IN ('A', 'B', 'C')),
	proactive_attitude text NOT NULL CHECK (proactive_attitude IN ('A', 'B', 'C')),
	note text,
	evaluated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, try_id),
	FOREIGN KEY (tenant_id, try_id) REFERENCES learning.try
);
SELECT tenancy.protect('learning.evaluation');

CREATE TABLE learning.reflection (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	try_id uuid NOT NULL,
	feeling smallint NOT NULL CHECK (feeling BETWEEN 1 AND 3),
	text text,
	written_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, try_id),
	FOREIGN KEY (tenant_id, try_id) REFERENCES learning.try
);
SELECT tenancy.protect('learning.reflection');

-- ---- who sees what ----
--
-- The one place that answers it. Plain SQL functions without SET, so that the planner opens them up
-- and an index on the outer condition is used; they run as the caller, under row security.

-- The classes that an instructor teaches or a student learns in; nobody else has any.
CREATE FUNCTION learning.own_class(actor uuid, actor_role text) RETURNS TABLE (class_id uuid)
LANGUAGE sql STABLE AS $$
	SELECT e.class_id FROM learning.enrollment e
	WHERE e.user_id = actor AND e.status = 'active'
		AND e.role = CASE actor_role WHEN 'instructor' THEN 'teacher' WHEN 'student' THEN 'student' END
$$;

CREATE FUNCTION learning.visible_assignment(actor uuid, actor_role text)
RETURNS TABLE (tenant_id uuid, id uuid, unit_id uuid, unit_title text, class_id uuid, class_title text,
	due_on date, created_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT a.tenant_id, a.id, a.unit_id, u.title, a.class_id, k.title, a.due_on, a.created_at
	FROM learning.assignment a
	JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id
	JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id
	WHERE k.status = 'active'
		AND a.class_id IN (SELECT o.class_id FROM learning.own_class(actor, actor_role) o)
$$;

-- Which tries a student sees: the own, and those shared with the own classes. An instructor: those
-- submitted in the classes taught. Nobody else any. One branch per reason, each with its index.
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
	FROM learning.try t
	JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = t.assignment_id
	WHERE actor_role = 'student' AND t.user_id <> actor AND t.shared
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
-- even when the pupil has reflected already.
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
		END AS state
	FROM learning.try t;
GRANT SELECT ON learning.try_state TO manabiya_learning;

-- A complete video, if the actor may see it: who uploaded it, who sees a try of it, and as a model every
-- instructor of the contract and the pupils to whom a unit with it is assigned.
CREATE FUNCTION learning.visible_media(actor uuid, actor_role text, media uuid)
RETURNS TABLE (tenant_id uuid, id uuid, size bigint, content_type text, uploader_role text)
LANGUAGE sql STABLE AS $$
	SELECT m.tenant_id, m.id, m.size, m.content_type, m.uploader_role
	FROM learning.media m
	WHERE m.id = media AND m.completed_at IS NOT NULL AND (
		(m.uploader_id = actor AND m.uploader_role = actor_role)
		OR EXISTS (SELECT FROM learning.visible_try(actor, actor_role) t WHERE t.media_id = media)
		OR EXISTS (SELECT FROM learning.unit_skill us
			WHERE us.model_media_id = media AND (actor_role = 'instructor' OR us.unit_id IN (
				SELECT a.unit_id FROM learning.visible_assignment(actor, actor_role) a))))
$$;
