-- Exports that are being made began with other files: an archive has OneRoster's courses, roles and academic sessions now. They
-- are told as outdated, and are asked for anew; what is ready stays as it was made.
DELETE FROM learning.export_video v USING learning.export e
	WHERE e.tenant_id = v.tenant_id AND e.id = v.export_id AND e.state = 'working';
DELETE FROM learning.export_section s USING learning.export e
	WHERE e.tenant_id = s.tenant_id AND e.id = s.export_id AND e.state = 'working';
UPDATE learning.export SET state = 'invalid' WHERE state = 'working';
