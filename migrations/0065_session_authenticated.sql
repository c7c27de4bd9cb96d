-- When the password of a session was last proven: what is dangerous asks for it again after five minutes.
-- Sessions from before have none and count from their begin, which the login is.

ALTER TABLE auth.session ADD COLUMN authenticated_at timestamptz;
ALTER TABLE auth.session ALTER COLUMN authenticated_at SET DEFAULT now();
