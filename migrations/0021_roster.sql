-- Schools, people, classes, enrolments and function limits.
--
-- What is deleted is gone: the consumers of events hear of it in the same transaction, and accounts end in auth.

CREATE TABLE provisioning.org (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	name text NOT NULL,
	type text NOT NULL CHECK (type IN ('district', 'school')),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, type, name)
);
SELECT tenancy.protect('provisioning.org');

-- Names and login names lie sealed under the key of the person they name; who has a login name is found by a keyed
-- hash. Lists are sorted by the service, after opening.
CREATE TABLE provisioning.person (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	role text NOT NULL CHECK (role IN ('contractor', 'instructor', 'student')),
	-- 'deleted' only between telling the others and the end of the same transaction.
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
	grade text CHECK (grade IN ('P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'J1', 'J2', 'J3')),
	created_at timestamptz NOT NULL DEFAULT now(),
	name text NOT NULL CHECK (tenancy.is_sealed(name)), -- family and given name and their readings, as one text
	login text NOT NULL CHECK (tenancy.is_sealed(login)),
	login_index text NOT NULL CHECK (login_index ~ '^[A-Za-z0-9_-]{43}$'),
	label text COLLATE "C" CHECK (label IN ('I', 'II')), -- where an administrator raised the class of this user above III
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, login_index)
);
SELECT tenancy.protect('provisioning.person');
CREATE INDEX person_label ON provisioning.person (tenant_id, label) WHERE label IS NOT NULL; -- few; counts leave them out

-- Users who came with an archive: their administrators fetch one-time secrets for those of them who
-- have not set a password yet, as often as they need to.
CREATE TABLE provisioning.arrival (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	user_id uuid NOT NULL,
	PRIMARY KEY (tenant_id, user_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES provisioning.person ON DELETE CASCADE
);
SELECT tenancy.protect('provisioning.arrival');

CREATE TABLE provisioning.class (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	org_id uuid NOT NULL,
	title text NOT NULL,
	grade text CHECK (grade IN ('P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'J1', 'J2', 'J3')),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
	created_at timestamptz NOT NULL DEFAULT now(),
	label text COLLATE "C" CHECK (label IN ('I', 'II', 'III')), -- where an administrator raised the class of this one above IV
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, org_id, title),
	FOREIGN KEY (tenant_id, org_id) REFERENCES provisioning.org
);
SELECT tenancy.protect('provisioning.class');

CREATE TABLE provisioning.enrollment (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	class_id uuid NOT NULL,
	user_id uuid NOT NULL,
	role text NOT NULL CHECK (role IN ('teacher', 'student')),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
	is_primary boolean NOT NULL DEFAULT false,
	-- A half-open span, as OneRoster has it: the first day, and the first day after it.
	begin_date date,
	end_date date,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, class_id, user_id),
	FOREIGN KEY (tenant_id, class_id) REFERENCES provisioning.class,
	FOREIGN KEY (tenant_id, user_id) REFERENCES provisioning.person,
	CONSTRAINT enrollment_primary_check CHECK (role = 'teacher' OR NOT is_primary),
	CONSTRAINT enrollment_span_check CHECK (begin_date < end_date)
);
SELECT tenancy.protect('provisioning.enrollment');
CREATE INDEX enrollment_user ON provisioning.enrollment (tenant_id, user_id);

-- What counts today: neither the class nor the enrolment is suspended, and the day lies in its span.
CREATE VIEW provisioning.effective_enrollment WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.id, e.class_id, e.user_id, e.role
	FROM provisioning.enrollment e
	JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id
	WHERE k.status = 'active' AND e.status = 'active'
		AND (e.begin_date IS NULL OR e.begin_date <= tenancy.today())
		AND (e.end_date IS NULL OR e.end_date > tenancy.today());
GRANT SELECT ON provisioning.effective_enrollment TO manabiya_provisioning;

-- ---- the class of what a path names: the skeleton asks these (x-object in the contract) ----

CREATE VIEW provisioning.label_of_user WITH (security_invoker = true) AS
	SELECT p.tenant_id, p.id, p.label FROM provisioning.person p;

CREATE VIEW provisioning.label_of_class WITH (security_invoker = true) AS
	SELECT k.tenant_id, k.id, k.label FROM provisioning.class k;

-- An enrolment says that somebody is here, and in which class.
CREATE VIEW provisioning.label_of_enrollment WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.id, least(p.label, k.label) AS label
	FROM provisioning.enrollment e
	JOIN provisioning.person p ON p.tenant_id = e.tenant_id AND p.id = e.user_id
	JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id;

GRANT SELECT ON provisioning.label_of_user, provisioning.label_of_class, provisioning.label_of_enrollment TO manabiya_provisioning;

-- Primary school comes before junior high, and classes without a grade last.
CREATE FUNCTION provisioning.grade_order(grade text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(translate(grade, 'PJ', '12'), '3') COLLATE "C"
$$;

-- What is denied to everyone of the contract; auth enforces its copy.
CREATE TABLE provisioning.tenant_feature (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	feature text NOT NULL CHECK (feature IN ('video_upload', 'peer_comment')),
	PRIMARY KEY (tenant_id, feature)
);
SELECT tenancy.protect('provisioning.tenant_feature');

-- What is denied to one person beside that.
CREATE TABLE provisioning.person_feature (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	user_id uuid NOT NULL,
	feature text NOT NULL CHECK (feature IN ('video_upload', 'peer_comment')),
	PRIMARY KEY (tenant_id, user_id, feature),
	FOREIGN KEY (tenant_id, user_id) REFERENCES provisioning.person ON DELETE CASCADE
);
SELECT tenancy.protect('provisioning.person_feature');

-- Imports that were applied, for the record and for the ids of the next one (import_apply.c).
CREATE TABLE provisioning.user_import (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	people integer NOT NULL,
	creates integer NOT NULL,
	updates integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.protect('provisioning.user_import');

-- The roster of a contract is held for an archive from before its first line is written until its last is: names
-- that were free when the archive was looked through once more stay free. Who finds a row here makes and deletes
-- nobody.
CREATE TABLE provisioning.roster_hold (
	tenant_id uuid PRIMARY KEY DEFAULT tenancy.tenant(),
	import_id uuid NOT NULL,
	since timestamptz NOT NULL DEFAULT now()
);
SELECT tenancy.protect('provisioning.roster_hold');
CREATE POLICY functions ON provisioning.roster_hold FOR SELECT TO manabiya_owner USING (true);
