-- Keys opened more often than expected, and key files that did not open (libcommon/key_use.h).
ALTER TABLE audit.anomaly DROP CONSTRAINT anomaly_kind_check,
	ADD CONSTRAINT anomaly_kind_check CHECK (kind IN ('many_videos', 'many_failures', 'odd_hours', 'incomplete_log',
		'audit_stopped', 'bulk_download', 'many_keys', 'refused_keys'));
