-- Lessons: skills, units, videos, tries and what is said about them.
--
-- member, class and enrollment are copies of what provisioning owns, fed by events that arrive in
-- any order: nothing refers to them by a foreign key, the higher version wins, and a deletion stays
-- as a row so that a late older event cannot bring the thing back.

SELECT tenancy.service('learning');

CREATE TABLE learning.member (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL,
	role text NOT NULL CHECK (role IN ('operator', 'contractor', 'instructor', 'student')),
	status text NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
	name text NOT NULL CHECK (tenancy.is_sealed(name)), -- family and given name and their readings, as one text
	label text COLLATE "C" CHECK (label IN ('I', 'II')), -- where the class of this user was raised above III
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('learning.member');

CREATE TABLE learning.class (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL,
	title text NOT NULL,
	status text NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
	label text COLLATE "C" CHECK (label IN ('I', 'II', 'III')), -- where the class of this one was raised above IV
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
	status text NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
	begin_date date,
	end_date date,
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
	-- Each video has a random key of its own, sealed for the pupil who made it or for the tenant: erasing a child or
	-- changing a key is then a matter of rows and keys, never of files.
	sealed_key text NOT NULL CHECK (tenancy.is_sealed(sealed_key)),
	PRIMARY KEY (tenant_id, id),
	CHECK (completed_at IS NULL OR (received = size AND content_type IS NOT NULL))
);
SELECT tenancy.protect('learning.media');
CREATE INDEX media_unfinished ON learning.media (tenant_id, uploader_id) WHERE completed_at IS NULL;
SELECT tenancy.unwatch('learning', 'media', '{UPDATE}', '{received,content_type,appended_at,completed_at}',
	'parts of an upload; its beginning is an event');

-- The label of a unit or a try is there where somebody raised its class above that of its type (IV and III). As
-- text in the collation C the gravest is the least: 'I' < 'II' < 'III'.
CREATE TABLE learning.unit (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	title text NOT NULL,
	description text,
	created_at timestamptz NOT NULL DEFAULT now(),
	label text COLLATE "C" CHECK (label IN ('I', 'II', 'III')),
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
	content text NOT NULL CHECK (tenancy.is_sealed(content)), -- the goal and the condition
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
	label text COLLATE "C" CHECK (label IN ('I', 'II')),
	label_by text CHECK (label_by IN ('student', 'instructor')),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, media_id),
	FOREIGN KEY (tenant_id, assignment_id) REFERENCES learning.assignment,
	FOREIGN KEY (tenant_id, skill_id) REFERENCES learning.skill,
	FOREIGN KEY (tenant_id, media_id) REFERENCES learning.media,
	CHECK (submitted_at IS NOT NULL OR NOT shared),
	CONSTRAINT try_label_both_check CHECK ((label IS NULL) = (label_by IS NULL))
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
	text text NOT NULL CHECK (tenancy.is_sealed(text)),
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
	content text NOT NULL CHECK (tenancy.is_sealed(content)), -- the three marks and perhaps a note
	evaluated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, try_id),
	FOREIGN KEY (tenant_id, try_id) REFERENCES learning.try
);
SELECT tenancy.protect('learning.evaluation');

CREATE TABLE learning.reflection (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	try_id uuid NOT NULL,
	content text NOT NULL CHECK (tenancy.is_sealed(content)), -- the feeling and perhaps a text
	written_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, try_id),
	FOREIGN KEY (tenant_id, try_id) REFERENCES learning.try
);
SELECT tenancy.protect('learning.reflection');
