#!/usr/bin/python3
"""Tenant isolation in PostgreSQL: each known trap, and a walk over everything that is there."""
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from database import OTHER_TENANT, TENANT, Database, Refused, server, tenant_key

ROOT = Path(__file__).resolve().parents[2]
ROLE = "manabiya_learning"
SCHEMAS = "n.nspname IN ('auth', 'provisioning', 'learning', 'notification', 'audit')"
# Tables that hold rows of tenants.
TENANT_TABLES = f"""
    pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND {SCHEMAS}"""


def enter(tenant, **how):
    return f"SELECT set_config('app.tenant', '{tenant_key(tenant, **how)}', true) \\g /dev/null\n"


class Traps(unittest.TestCase):
    """The seven traps; a table made by the helper that every migration uses."""

    @classmethod
    def setUpClass(cls):
        cls.database = Database()
        cls.database.sql(f"""
            SET ROLE manabiya_owner;
            CREATE TABLE learning.trap (tenant_id uuid NOT NULL DEFAULT tenancy.tenant(), id uuid NOT NULL,
                login text NOT NULL, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, login));
            CREATE TABLE learning.trap_part (tenant_id uuid NOT NULL DEFAULT tenancy.tenant(), trap_id uuid NOT NULL,
                FOREIGN KEY (tenant_id, trap_id) REFERENCES learning.trap (tenant_id, id));
            CREATE VIEW learning.trap_view WITH (security_invoker = true) AS SELECT login FROM learning.trap;
            SELECT tenancy.protect('learning.trap'), tenancy.protect('learning.trap_part');
            GRANT SELECT ON learning.trap_view TO {ROLE};
            RESET ROLE;
            INSERT INTO learning.trap VALUES ('{TENANT}', '{TENANT}', 'alice'), ('{OTHER_TENANT}', '{OTHER_TENANT}', 'bob');
            """)

    def ask(self, text, tenant=TENANT, **how):
        """As the service, in a transaction that entered the tenant."""
        prelude = enter(tenant, **how) if tenant else ""
        return self.database.sql(f"BEGIN;\n{prelude}{text};\nROLLBACK;", ROLE)

    def test_1_the_owner_is_bound_by_its_own_policies(self):
        self.assertEqual(self.database.sql("SET ROLE manabiya_owner; SELECT count(*) FROM learning.trap"), "0")

    def test_2_an_empty_setting_after_commit_is_no_tenant(self):
        seen = self.database.sql(f"BEGIN;\n{enter(TENANT)}SELECT count(*) FROM learning.trap;\nCOMMIT;\n"
                                 "SELECT current_setting('app.tenant') = '', tenancy.tenant() IS NULL;\n"
                                 "SELECT count(*) FROM learning.trap", ROLE)
        self.assertEqual(seen.split(), ["1", "t|t", "0"])
        self.assertEqual(self.ask("SELECT count(*) FROM learning.trap", tenant=None), "0")

    def test_3_a_view_shows_only_the_own_tenant(self):
        self.assertEqual(self.ask("SELECT login FROM learning.trap_view"), "alice")

    def test_4_a_unique_key_does_not_tell_of_others(self):
        self.assertEqual(self.ask("INSERT INTO learning.trap (id, login) VALUES (gen_random_uuid(), 'bob')"), "")
        with self.assertRaisesRegex(Refused, "duplicate key"):
            self.ask("INSERT INTO learning.trap (id, login) VALUES (gen_random_uuid(), 'alice')")

    def test_5_a_foreign_key_cannot_reach_another_tenant(self):
        for missing in (OTHER_TENANT, "01890000-0000-7000-8000-0000000000ff"):
            with self.assertRaisesRegex(Refused, "foreign key"):
                self.ask(f"INSERT INTO learning.trap_part (trap_id) VALUES ('{missing}')")

    def test_6_the_policy_itself_leads_into_the_index(self):
        plan = self.ask("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
                        "EXPLAIN SELECT id FROM learning.trap WHERE login LIKE 'al%'")
        self.assertRegex(plan, r"Index Cond: \(tenant_id = (\$0|\(InitPlan 1\)\.col1)\)")

    def test_7_an_injected_statement_cannot_switch_the_tenant(self):
        mine, theirs = tenant_key(TENANT), tenant_key(OTHER_TENANT, key="00" * 32)
        spliced = OTHER_TENANT + mine[36:]
        for claim in (OTHER_TENANT, theirs, spliced, mine[:-1], mine + "0", mine.upper(), "", "x" * 112,
                      "\\\\" * 56, "あ" * 112, OTHER_TENANT + mine[36:48] + "zz" * 32):
            with self.subTest(claim=claim):
                seen = self.ask(f"SELECT set_config('app.tenant', '{claim}', true) \\g /dev/null\n"
                                "SELECT tenancy.tenant() IS NULL, (SELECT count(*) FROM learning.trap)")
                self.assertEqual(seen, "t|0")

    def test_7_an_expired_key_is_no_key(self):
        self.assertEqual(self.ask("SELECT count(*) FROM learning.trap", expires=1700000000), "0")

    def test_7_the_key_cannot_be_read_or_changed(self):
        self.assertEqual(self.ask("SELECT * FROM tenancy.entered"), TENANT)
        self.assertNotIn("mac_key", self.ask("SELECT tablename FROM pg_stats WHERE schemaname = 'tenancy'"))
        for attempt in ("SELECT * FROM tenancy.mac_key", "UPDATE tenancy.entered SET tenant_id = NULL", "SELECT tenancy.set_mac_key('\\x00')",
                        "UPDATE tenancy.mac_key SET inner_pad = outer_pad",
                        "SELECT tenancy.service('evil')", "SELECT tenancy.protect('learning.trap')",
                        "SET ROLE manabiya_owner", "SET ROLE manabiya_auth",
                        "ALTER TABLE learning.trap DISABLE ROW LEVEL SECURITY",
                        "CREATE FUNCTION learning.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                        "CREATE OR REPLACE FUNCTION tenancy.tenant() RETURNS uuid LANGUAGE sql AS "
                        f"$$SELECT '{OTHER_TENANT}'::uuid$$"):
            with self.subTest(attempt=attempt), self.assertRaisesRegex(Refused, "permission denied|must be owner|cannot update"):
                self.ask(attempt)

    def test_7_a_search_path_does_not_bend_the_check(self):
        seen = self.ask("CREATE TEMP TABLE mac_key (one bool, inner_pad bytea, outer_pad bytea);"
                        "CREATE DOMAIN pg_temp.uuid AS text;"
                        "SET LOCAL search_path = pg_temp, pg_catalog;"
                        "SELECT count(*) FROM learning.trap")
        self.assertEqual(seen, "1")

    def test_7_a_row_cannot_be_written_into_another_tenant(self):
        for attempt in (f"INSERT INTO learning.trap VALUES ('{OTHER_TENANT}', gen_random_uuid(), 'x')",
                        f"UPDATE learning.trap SET tenant_id = '{OTHER_TENANT}'"):
            with self.subTest(attempt=attempt), self.assertRaisesRegex(Refused, "row-level security"):
                self.ask(attempt)
        self.assertEqual(self.ask("DELETE FROM learning.trap RETURNING login"), "alice")

    def test_8_a_purge_takes_the_entered_tenant_alone(self):
        seen = self.ask(f"INSERT INTO learning.trap_part (trap_id) VALUES ('{TENANT}');"
                        "SELECT tenancy.purge(1), tenancy.purge(100); SELECT count(*) FROM learning.trap;"
                        "SELECT string_agg(store || removed, ' ') FROM tenancy.purge_noted();"
                        + enter(OTHER_TENANT) + "SELECT count(*) FROM learning.trap")
        self.assertEqual(seen.split("\n"), ["t|f", "0", "learning.trap1 learning.trap_part1", "1"])
        for tenant in (None, "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-00000000000f"):
            with self.subTest(tenant=tenant), self.assertRaisesRegex(Refused, "no tenant that can be purged"):
                self.ask("SELECT tenancy.purge(1)", tenant=tenant)

    def test_8_a_purge_cannot_be_led_to_other_tables(self):
        seen = self.ask("CREATE TEMP TABLE pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;"
                        "SELECT tenancy.purge(100); SELECT count(*) FROM learning.trap")
        self.assertEqual(seen, "f\n0")

    def test_8_the_log_is_not_purged(self):
        kept = self.database.sql("""SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'audit' AND c.relname IN ('event', 'head', 'node', 'checkpoint')
                AND has_any_column_privilege('manabiya_audit', c.oid, 'INSERT, UPDATE')""")
        self.assertEqual(kept, "0")


class Ledger(unittest.TestCase):
    """What a table that is made tomorrow gets by itself."""

    def setUp(self):
        self.database = Database()

    def migrate(self, text):
        self.database.sql(f"""BEGIN; SET LOCAL ROLE manabiya_owner; {text};
            INSERT INTO tenancy.migration SELECT max(number) + 1, 'new', 'x' FROM tenancy.migration; COMMIT""")

    def noted(self):
        return self.database.sql("""SELECT concat_ws(' ', kind, name, verb, changed, tenant_id IS NOT NULL) FROM learning.ledger
            WHERE kind <> 'upkeep' ORDER BY id""")

    def write(self, text):
        self.database.sql(f"BEGIN;\n{enter(TENANT)}{text};\nCOMMIT", ROLE)

    def test_a_new_table_is_watched_from_its_migration_on(self):
        self.migrate("""CREATE TABLE learning.fresh (tenant_id uuid NOT NULL DEFAULT tenancy.tenant(), id int PRIMARY KEY);
            SELECT tenancy.protect('learning.fresh')""")
        self.write("INSERT INTO learning.fresh (id) VALUES (1), (2); UPDATE learning.fresh SET id = 3 WHERE id = 2;"
                   "DELETE FROM learning.fresh WHERE id = 9; DELETE FROM learning.fresh")
        self.assertEqual(self.noted().split("\n"),
                         ["effect fresh INSERT 2 t", "effect fresh UPDATE 1 t", "effect fresh DELETE 2 t"])
        with self.assertRaisesRegex(Refused, "TRUNCATE of learning.fresh is refused"):
            self.database.sql("TRUNCATE learning.fresh")

    def test_columns_that_say_nothing_are_told_from_those_that_do_also_when_they_come_and_go(self):
        self.migrate("DROP VIEW learning.kept_record; ALTER TABLE learning.media DROP COLUMN uploader_role, DROP CONSTRAINT media_sealed_key_check, ADD loud int")
        self.write(f"""INSERT INTO learning.media (id, uploader_id, size, sealed_key)
            VALUES ('{TENANT}', '{TENANT}', 7, 'x');
            UPDATE learning.media SET received = 3, appended_at = now(); UPDATE learning.media SET loud = 1, received = 4""")
        self.assertEqual(self.noted().split("\n"), ["effect media INSERT 1 t", "effect media UPDATE 1 t"])

    def test_what_is_excused_later_is_watched_no_more(self):
        self.migrate("SELECT tenancy.unwatch('learning', 'goal', '{INSERT,UPDATE,DELETE}', NULL, 'for this test')")
        self.assertEqual(self.database.sql("""SELECT count(*) FROM pg_trigger WHERE tgrelid = 'learning.goal'::regclass
            AND tgname LIKE 'ledger%'"""), "0")

    def test_what_a_migration_changes_has_its_reason(self):
        self.write("INSERT INTO learning.unit (id, title, description) VALUES (gen_random_uuid(), 'a', 'b')")
        self.database.sql("DELETE FROM learning.ledger")
        self.migrate("RESET ROLE; UPDATE learning.unit SET title = 'c'; SET LOCAL ROLE manabiya_owner")
        self.assertEqual(self.noted(), "effect unit UPDATE 1 t")
        self.assertEqual(self.database.sql("""SELECT count(DISTINCT xid) FROM learning.ledger"""), "1")


class Walk(unittest.TestCase):
    """Whatever the migrations made: each list of offenders must be empty."""

    @classmethod
    def setUpClass(cls):
        cls.database = Database()

    def offenders(self, query):
        self.assertEqual(self.database.sql(query), "")

    def test_there_is_something_to_walk_over(self):
        self.assertGreater(int(self.database.sql(f"SELECT count(*) FROM {TENANT_TABLES}")), 10)

    def test_every_tenant_table_has_forced_row_security_and_a_policy(self):
        self.offenders(f"""SELECT c.oid::regclass FROM {TENANT_TABLES} AND NOT (c.relrowsecurity
            AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))""")

    def test_no_change_of_a_tenants_rows_goes_unnoted(self):
        # Written anew here: tenancy.watch() must not be its own witness. tgtype: 4 insert, 8 delete, 16 update, 32 truncate.
        self.offenders(f"""SELECT c.oid::regclass, v.verb FROM {TENANT_TABLES.replace(
            "WHERE", "CROSS JOIN (VALUES ('INSERT', 4), ('DELETE', 8), ('UPDATE', 16), ('TRUNCATE', 32)) AS v (verb, bit) WHERE")}
            AND has_any_column_privilege('manabiya_' || n.nspname, c.oid, 'INSERT, UPDATE')
            AND NOT EXISTS (SELECT FROM tenancy.unwatched u WHERE u.service IN (n.nspname, '*') AND u.relation = c.relname
                AND u.verb = replace(v.verb, 'TRUNCATE', 'DELETE') AND u.columns IS NULL)
            AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid
                AND t.tgenabled = 'O' AND t.tgtype & v.bit <> 0 AND CASE v.verb
                    WHEN 'TRUNCATE' THEN p.oid = 'tenancy.refuse_truncate'::regproc
                    ELSE p.pronamespace = c.relnamespace
                        AND p.proname = CASE WHEN t.tgtype & 1 = 0 THEN 'ledger_statement' ELSE 'ledger_row' END END)""")

    def test_what_needs_no_event_is_there_and_has_a_reason(self):
        self.offenders("""SELECT u.service, u.relation FROM tenancy.unwatched u WHERE length(u.reason) < 10
            OR NOT EXISTS (SELECT FROM tenancy.tenant_table t WHERE u.service IN (t.service, '*') AND t.name = u.relation)
            OR EXISTS (SELECT FROM unnest(u.columns) AS k (name) WHERE NOT EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = format('%I.%I', u.service, u.relation)::regclass AND a.attname = k.name))""")

    def test_what_needs_no_event_is_written_down(self):
        rows = self.database.sql("""SELECT format('| `%s.%s` | %s | %s |', service, relation, string_agg(verb
                || coalesce(' of ' || array_to_string(columns, ', '), ''), ', ' ORDER BY verb = 'DELETE', verb), reason)
            FROM tenancy.unwatched GROUP BY service, relation, columns, reason ORDER BY service, relation, 1""").splitlines()
        page = (ROOT / "docs/security.md").read_text()
        table = page.split("| table | change | why |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
        self.assertEqual(sorted(table), sorted(rows))

    def test_what_lies_in_clear_is_written_down(self):
        rows = self.database.sql(f"""SELECT format('%s: %s', regexp_replace(c.oid::regclass::text,
                '^[a-z]+\\.(audit_stop|idempotency|inbox|ledger|ledger_count|outbox)$', '\\1'), string_agg(b.attname, ', ' ORDER BY b.attnum))
            FROM {TENANT_TABLES[TENANT_TABLES.index("pg_class"):TENANT_TABLES.index("WHERE")]}
            JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum > 0 AND NOT b.attisdropped
            WHERE c.relkind IN ('r', 'p') AND {SCHEMAS}
                AND b.atttypid NOT IN ('uuid'::regtype, 'uuid[]'::regtype, 'timestamptz'::regtype, 'boolean'::regtype)
                AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid
                    AND pg_get_constraintdef(k.oid) ~ ('is_sealed\\w*\\(.*\\m' || b.attname || '\\M'))
            GROUP BY c.oid""").splitlines()
        page = (Path(__file__).parent / "in_clear.txt").read_text().splitlines()
        self.assertEqual([line for line in page if not line.startswith("#")], sorted(set(rows)))

    def test_what_is_sealed_is_sealed_anew_after_a_rotation(self):
        """Each column of the database: a version of a key that is left out of a service's list would be destroyed under what it opens.
        What waits, for minutes or a day, keeps its key by another rule."""
        columns = self.database.sql("""SELECT format('%s.%s', k.conrelid::regclass, a.attname) FROM pg_constraint k
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
            WHERE k.contype = 'c' AND pg_get_constraintdef(k.oid) ~ ('is_sealed\\w*\\(.*\\m' || a.attname || '\\M')""").split()
        waits = [name for name in columns if name.endswith(".idempotency.body") or name == "notification.mail.body"]
        listed = [f"{path.parent.name}.{table}.{column}" for path in (ROOT / "services").glob("*/keys.c") for table, column in re.findall(
            r'SEALED_(?:COLUMN|FOUND)\(\s*"(\w+)",\s*"\w+",\s*"(\w+)"', path.read_text())]
        self.assertEqual(sorted(listed), sorted(set(columns) - set(waits)))

    def test_every_policy_for_a_service_asks_for_the_tenant(self):
        self.offenders("""SELECT p.polrelid::regclass, p.polname FROM pg_policy p
            WHERE p.polroles <> ARRAY['manabiya_owner'::regrole::oid]
                AND coalesce(pg_get_expr(p.polqual, p.polrelid), '')
                    || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') !~ 'tenancy\\.(tenant\\(\\)|entered)'""")

    def test_everything_belongs_to_the_owner_who_cannot_log_in(self):
        self.offenders(f"""SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE ({SCHEMAS} OR n.nspname = 'tenancy') AND c.relowner <> 'manabiya_owner'::regrole""")
        self.assertEqual(self.database.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'manabiya_owner'"), "f")

    def test_login_roles_have_no_way_past(self):
        self.offenders("""SELECT rolname FROM pg_roles WHERE rolname LIKE 'manabiya\\_%' AND rolcanlogin
            AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
                OR pg_has_role(oid, 'manabiya_owner', 'MEMBER'))""")

    def test_views_ask_as_the_caller(self):
        self.offenders(f"""SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {SCHEMAS} AND (c.relkind = 'm' OR (c.relkind = 'v'
                AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false)))""")

    def test_unique_keys_lead_with_the_tenant(self):
        # outbox.id is given by the database: nobody can probe with it. A tenant's code and a session
        # token are what finds the tenant; only auth, which knows all tenants, can write either.
        self.offenders(f"""SELECT c.oid::regclass, i.indexrelid::regclass FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            JOIN pg_attribute first ON first.attrelid = c.oid AND first.attnum = i.indkey[0]
            WHERE {SCHEMAS} AND i.indisunique AND first.attname <> 'tenant_id' AND first.attidentity = ''
                AND i.indexrelid::regclass::text NOT IN ('auth.tenant_code', 'auth.session_token')""")

    def test_foreign_keys_between_tenant_tables_carry_the_tenant(self):
        self.offenders(f"""SELECT f.conrelid::regclass, f.conname FROM pg_constraint f
            JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attname = 'tenant_id'
            JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attname = 'tenant_id'
            WHERE f.contype = 'f' AND {SCHEMAS}
                AND NOT (a.attnum = ANY (f.conkey) AND b.attnum = ANY (f.confkey))""")

    def test_a_service_sees_its_own_schema_only(self):
        self.offenders(f"""SELECT r.rolname, c.oid::regclass FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_roles r ON r.rolname LIKE 'manabiya\\_%' AND r.rolcanlogin
            WHERE c.relkind IN ('r', 'p', 'v') AND ({SCHEMAS} OR n.nspname = 'tenancy')
                AND r.rolname <> 'manabiya_' || n.nspname AND c.oid <> 'tenancy.entered'::regclass
                AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')""")

    def test_functions_with_the_owners_rights_are_pinned_and_not_public(self):
        self.offenders(f"""SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE ({SCHEMAS} OR n.nspname = 'tenancy') AND p.prosecdef AND (
                NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=%', false)
                OR p.proacl IS NULL OR p.proacl::text LIKE '%{{=X%' OR p.proacl::text LIKE '%,=X%')""")


if __name__ == "__main__":
    server()
    unittest.main()
