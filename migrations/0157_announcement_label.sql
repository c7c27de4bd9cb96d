-- The class of a single announcement, where its writer raised it above that of its type (IV).

ALTER TABLE notification.announcement
	ADD COLUMN label text COLLATE "C" CHECK (label IN ('I', 'II', 'III'));

-- The skeleton asks this (x-object in the contract).
CREATE VIEW notification.label_of_announcement WITH (security_invoker = true) AS
	SELECT a.tenant_id, a.id, a.label FROM notification.announcement a;
GRANT SELECT ON notification.label_of_announcement TO manabiya_notification;
