-- When a try goes, its notices go: found by it.

CREATE INDEX notice_try ON notification.notice (tenant_id, try_id) WHERE try_id IS NOT NULL;
