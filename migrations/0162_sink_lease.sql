-- A sink is released together with the positions of what was sent. So one that is found released by the
-- process that asks has nothing that the database does not know, and need not be asked: reading back the
-- end of a file for each batch cost more than the batch.
CREATE FUNCTION audit.sink_lease(of_sink text, by_whom text, for_ms integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	is_settled boolean;
BEGIN
	SELECT s.holder = by_whom AND s.held_until = '-infinity' INTO is_settled
		FROM audit.sink s WHERE s.name = of_sink FOR UPDATE;
	RETURN CASE WHEN NOT audit.sink_hold(of_sink, by_whom, for_ms) THEN 'refused'
		WHEN is_settled THEN 'settled' ELSE 'held' END;
END
$$;
REVOKE ALL ON FUNCTION audit.sink_lease(text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.sink_lease(text, text, integer) TO manabiya_audit;
