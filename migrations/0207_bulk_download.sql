-- Whoever takes all of a contract away is worth a look.
ALTER TABLE audit.anomaly DROP CONSTRAINT anomaly_kind_check,
	ADD CONSTRAINT anomaly_kind_check CHECK (kind IN ('many_videos', 'many_failures', 'odd_hours', 'incomplete_log',
		'audit_stopped', 'bulk_download'));
