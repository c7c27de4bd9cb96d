-- What pupils make, as it is kept: tries with all that belongs to them, goals to which there is no try any
-- more, and videos that were never sent. `changed_at` is when anybody last added to it, begun_at (which is
-- cheaper to know) never later.

CREATE VIEW learning.kept_record WITH (security_invoker = true) AS
	SELECT t.tenant_id, 'try' AS kind, t.id, t.user_id, t.assignment_id, t.media_id,
		coalesce(t.label, 'III') COLLATE "C" AS label, t.created_at AS begun_at,
		greatest(t.created_at, t.submitted_at, t.answered_at,
			(SELECT max(k.created_at) FROM learning.comment k WHERE k.tenant_id = t.tenant_id AND k.try_id = t.id),
			(SELECT e.evaluated_at FROM learning.evaluation e WHERE e.tenant_id = t.tenant_id AND e.try_id = t.id),
			(SELECT r.written_at FROM learning.reflection r WHERE r.tenant_id = t.tenant_id AND r.try_id = t.id))
			AS changed_at
	FROM learning.labelled_try t
	UNION ALL
	SELECT g.tenant_id, 'goal', g.id, g.user_id, g.assignment_id, NULL, coalesce(least(m.label, k.label), 'III') COLLATE "C",
		g.written_at, g.written_at
	FROM learning.goal g
	LEFT JOIN learning.member m ON m.tenant_id = g.tenant_id AND m.id = g.user_id
	LEFT JOIN learning.assignment a ON a.tenant_id = g.tenant_id AND a.id = g.assignment_id
	LEFT JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id
	WHERE NOT EXISTS (SELECT FROM learning.try t WHERE t.tenant_id = g.tenant_id
		AND t.assignment_id = g.assignment_id AND t.user_id = g.user_id)
	UNION ALL
	SELECT m.tenant_id, 'media', m.id, m.uploader_id, NULL, m.id, coalesce(p.label, 'III') COLLATE "C", m.created_at, m.completed_at
	FROM learning.media m
	LEFT JOIN learning.member p ON p.tenant_id = m.tenant_id AND p.id = m.uploader_id
	WHERE m.uploader_role = 'student' AND m.completed_at IS NOT NULL
		AND NOT EXISTS (SELECT FROM learning.try t WHERE t.tenant_id = m.tenant_id AND t.media_id = m.id);
GRANT SELECT ON learning.kept_record TO manabiya_learning;
