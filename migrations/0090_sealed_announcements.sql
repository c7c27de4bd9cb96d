-- Announcements lie sealed, title and body as one text, and mail on its way out (libcommon/personal.h).
-- Rows from before cannot be sealed here, where no key is: the migration stops at them.

ALTER TABLE notification.announcement
	DROP COLUMN title,
	DROP COLUMN body,
	ADD COLUMN text text NOT NULL CHECK (tenancy.is_sealed(text));

ALTER TABLE notification.mail ADD CHECK (tenancy.is_sealed(body));
