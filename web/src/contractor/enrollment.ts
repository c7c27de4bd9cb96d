/* What a removed enrolment was, and how it comes back. */
import type { api as Api } from "../api/client";
import type { Enrollment } from "../api/types";

/** The version of an item of a list, as If-Match wants it. */
export function etagOf({ version }: { version: number }): string {
	return `"v${version}"`;
}

/** Enrol again as before: with its dates, in charge, and suspended, as far as it was. */
export async function revive(
	api: typeof Api,
	key: string,
	classId: string,
	{ userId, role, primary, beginDate, endDate, status }: Enrollment,
): Promise<void> {
	const made = await api("post", "/v1/classes/{classId}/enrollments", {
		params: { classId },
		body: { userId },
		key,
	});
	const params = { enrollmentId: made.id };
	if (primary || beginDate || endDate) {
		const body = { role, primary, beginDate, endDate };
		await api("put", "/v1/enrollments/{enrollmentId}", { params, body, ifMatch: etagOf(made) });
	}
	if (status === "suspended") {
		await api("post", "/v1/enrollments/{enrollmentId}/suspend", { params });
	}
}
