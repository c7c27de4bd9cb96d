/* Choices about people that several screens offer. */
import type { Grade, User } from "../api/types";
import { type Key, t } from "../i18n";
import type { Option } from "../ui/form";

export const GRADES: Grade[] = ["P1", "P2", "P3", "P4", "P5", "P6", "J1", "J2", "J3"];

export function gradeOptions(): Option[] {
	return GRADES.map((value) => ({ value, text: t(`grade.${value}` as Key) }));
}

export type UserRole = Exclude<User["role"], "operator">;

export const USER_ROLES: UserRole[] = ["student", "instructor", "contractor"];

export function roleOptions(): Option[] {
	return USER_ROLES.map((value) => ({ value, text: t(`role.${value}` as Key) }));
}
