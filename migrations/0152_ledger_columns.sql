-- Which columns of a row count is found by the trigger's function, no longer by its condition: a condition
-- depends on each column that it names, so none of them could be dropped. And the columns that do not count
-- are named instead of all others, so one that is added counts without anything being made anew.

-- To be called for each schema that tenancy.service() makes, behind keep_ledger().
CREATE FUNCTION tenancy.note_rows(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $note$
BEGIN
	EXECUTE format($sql$
		CREATE OR REPLACE FUNCTION %1$I.ledger_row() RETURNS trigger
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
		BEGIN
			IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
				INSERT INTO %1$I.ledger (kind, tenant_id, name, verb, changed, by_whom)
				VALUES ('effect', NEW.tenant_id, TG_TABLE_NAME, TG_OP, 1,
					CASE WHEN session_user = %2$L THEN current_setting('application_name')
						ELSE concat(session_user, ' ', current_setting('application_name')) END);
			END IF;
			RETURN NULL;
		END
		$body$$sql$, name, 'manabiya_' || name);
END
$note$;
REVOKE ALL ON FUNCTION tenancy.note_rows(text) FROM PUBLIC;

SELECT tenancy.note_rows(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ledger' AND c.relkind = 'r';

-- As before (0150_ledger.sql), but `watches` are the columns that do not count.
CREATE OR REPLACE VIEW tenancy.wanted_trigger AS
SELECT t.relation, t.service, 'ledger_' || lower(v.verb) AS name, v.verb,
	array_to_string(u.columns, ',') COLLATE "C" AS watches
FROM tenancy.tenant_table t
CROSS JOIN unnest('{INSERT,UPDATE,DELETE}'::text[]) AS v (verb)
LEFT JOIN tenancy.unwatched u ON u.service IN (t.service, '*') AND u.relation = t.name AND u.verb = v.verb
WHERE u.verb IS NULL OR u.columns IS NOT NULL;

CREATE OR REPLACE FUNCTION tenancy.watch() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	wanted record;
	old record;
BEGIN
	FOR old IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
		WHERE t.tgname ~ '^ledger_(insert|update|delete)$' AND NOT EXISTS (SELECT FROM tenancy.wanted_trigger w
			WHERE w.relation = t.tgrelid AND w.name = t.tgname)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', old.tgname, old.relation);
	END LOOP;
	FOR wanted IN
		SELECT w.*, t.oid IS NOT NULL AS is_old FROM tenancy.wanted_trigger w
		LEFT JOIN pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name
		WHERE t.oid IS NULL OR obj_description(t.oid, 'pg_trigger') IS DISTINCT FROM w.watches
	LOOP
		IF wanted.is_old THEN
			EXECUTE format('DROP TRIGGER %I ON %s', wanted.name, wanted.relation);
		END IF;
		IF wanted.watches IS NULL THEN
			EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s REFERENCING %s TABLE AS changed FOR EACH STATEMENT'
				' EXECUTE FUNCTION %I.ledger_statement()', wanted.name, wanted.verb, wanted.relation,
				CASE wanted.verb WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END, wanted.service);
		ELSE
			EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %I.ledger_row(%s)',
				wanted.name, wanted.relation, wanted.service,
				(SELECT string_agg(quote_literal(c), ',') FROM unnest(string_to_array(wanted.watches, ',')) c));
			EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', wanted.name, wanted.relation, wanted.watches);
		END IF;
	END LOOP;
END
$$;
