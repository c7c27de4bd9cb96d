/* The operations that the log records, as it names them: `service.operation`. */
const BY_SERVICE = {
	auth: [
		"session_create",
		"session_end",
		"session_revoke",
		"session_step_up",
		"password_change",
		"tenant_open",
		"account_put",
		"account_status_put",
		"account_secret_issue",
	],
	provisioning: [
		"contract_create",
		"org_create",
		"user_create",
		"user_update",
		"user_delete",
		"user_suspend",
		"user_restore",
		"user_secret_issue",
		"user_import",
		"feature_put",
		"user_feature_put",
		"class_create",
		"class_update",
		"class_suspend",
		"class_restore",
		"class_delete",
		"enrollment_create",
		"enrollment_put",
		"enrollment_suspend",
		"enrollment_restore",
		"enrollment_delete",
	],
	learning: [
		"skill_create",
		"unit_create",
		"unit_model_put",
		"assignment_create",
		"goal_put",
		"try_create",
		"try_submit",
		"try_sharing_put",
		"comment_create",
		"peer_comment_create",
		"evaluation_put",
		"reflection_put",
		"media_create",
		"media_content",
		"media_delete",
	],
	notification: ["announcement_create"],
	audit: ["audit_search", "log_entries", "log_entries_deep", "log_entries_deeper", "log_export"],
} as const;

type Service = keyof typeof BY_SERVICE;
type Name = (typeof BY_SERVICE)[Service][number];

export const OPERATIONS: { operation: string; label: `op.${Name}` }[] = Object.entries(
	BY_SERVICE,
).flatMap(([service, names]) =>
	names.map((name: Name) => ({ operation: `${service}.${name}`, label: `op.${name}` as const })),
);
