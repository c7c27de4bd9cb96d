/* The operations that the log records, as the API names them. */
export const OPERATIONS = [
	"session_create",
	"session_end",
	"session_revoke",
	"password_change",
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
	"class_delete",
	"enrollment_create",
	"enrollment_delete",
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
	"announcement_create",
	"audit_search",
	"tenant_open",
	"account_put",
	"account_status_put",
	"account_secret_issue",
] as const;

const SERVICES = ["auth", "provisioning", "learning", "notification", "audit", "gateway"];

/** The name without its service: `learning_try_create` → `try_create`. */
export function operationName(operation: string): string {
	const bare = operation.replace(/^[a-z]+[._]/, "");
	const service = operation.slice(0, operation.length - bare.length - 1);
	const isKnown = (OPERATIONS as readonly string[]).includes(operation);
	return !isKnown && SERVICES.includes(service) ? bare : operation;
}
