-- A process that asked for a key of what another service keeps is something to look at, too.
ALTER TABLE audit.anomaly DROP CONSTRAINT anomaly_kind_check,
	ADD CONSTRAINT anomaly_kind_check CHECK (kind IN ('many_videos', 'many_failures', 'odd_hours', 'incomplete_log',
		'audit_stopped', 'bulk_download', 'many_keys', 'refused_keys', 'foreign_keys'));
