-- Statements here are prepared, and each filter has a text of its own: one plan serves all values. Without this the server plans the
-- cheapest of them anew at each call, as it looks through what it knows of the values: that took longer than the look-up among
-- 100,000 agreements. For this role in this database alone, and also behind a pooler, where a session's setting would be the next one's.
DO $$ BEGIN
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET plan_cache_mode = force_generic_plan', current_user, current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the role may not set its own plan_cache_mode; look-ups take a little longer';
END $$;
