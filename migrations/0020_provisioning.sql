-- Contracts, schools, people, classes, enrolments and function limits.
--
-- A contract is a row of the operator's own tenant and names the tenant that it opened. Everything
-- else belongs to the customer's tenant. What is deleted is gone: the consumers of events hear of it
-- in the same transaction, and accounts end in auth.

SELECT tenancy.service('provisioning');

-- Readings as lists sort and search them: NFKC (half-width kana become full), katakana to hiragana.
CREATE FUNCTION provisioning.kana_key(reading text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT translate(normalize(reading, NFKC),
		'ァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロヮワヰヱヲンヴヵヶ',
		'ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもゃやゅゆょよらりるれろゎわゐゑをんゔゕゖ')
$$;

CREATE TABLE provisioning.contract (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	customer_tenant_id uuid NOT NULL,
	code text NOT NULL,
	name text NOT NULL,
	administrator_username text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, customer_tenant_id)
);
SELECT tenancy.protect('provisioning.contract');
CREATE UNIQUE INDEX contract_code ON provisioning.contract (tenant_id, lower(code));

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

CREATE TABLE provisioning.person (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	username text NOT NULL,
	-- Compared with =, which is leakproof, so that row security does not keep the index from use.
	username_key text NOT NULL GENERATED ALWAYS AS (lower(username)) STORED,
	role text NOT NULL CHECK (role IN ('contractor', 'instructor', 'student')),
	-- 'deleted' only between telling the others and the end of the same transaction.
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
	family_name text NOT NULL,
	given_name text NOT NULL,
	kana_family_name text NOT NULL,
	kana_given_name text NOT NULL,
	kana_sort text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
		provisioning.kana_key(kana_family_name || ' ' || kana_given_name)) STORED,
	grade text CHECK (grade IN ('P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'J1', 'J2', 'J3')),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, username_key)
);
SELECT tenancy.protect('provisioning.person');
CREATE INDEX person_kana ON provisioning.person (tenant_id, kana_sort, id);

CREATE TABLE provisioning.class (
	tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),
	id uuid NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	org_id uuid NOT NULL,
	title text NOT NULL,
	grade text CHECK (grade IN ('P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'J1', 'J2', 'J3')),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deleted')),
	created_at timestamptz NOT NULL DEFAULT now(),
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
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deleted')),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, class_id, user_id),
	FOREIGN KEY (tenant_id, class_id) REFERENCES provisioning.class,
	FOREIGN KEY (tenant_id, user_id) REFERENCES provisioning.person
);
SELECT tenancy.protect('provisioning.enrollment');
CREATE INDEX enrollment_user ON provisioning.enrollment (tenant_id, user_id);

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
