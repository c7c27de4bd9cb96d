import { describe, expect, it, vi } from "vitest";
import type { api } from "../api/client";
import type { Enrollment } from "../api/types";
import { revive } from "./enrollment";

const removed: Enrollment = {
	id: "old",
	userId: "u",
	role: "teacher",
	primary: false,
	status: "active",
	version: 4,
	familyName: "佐藤",
	givenName: "葵",
	kanaFamilyName: "さとう",
	kanaGivenName: "あおい",
};

async function callsOf(enrollment: Enrollment) {
	const fake = vi.fn(async () => ({ id: "new", version: 1 }));
	await revive(fake as unknown as typeof api, "k", "c", enrollment);
	return fake.mock.calls as unknown as [string, string, object][];
}

describe("an enrolment that comes back", () => {
	it("is made with the same key for the same wish", async () => {
		const calls = await callsOf(removed);
		expect(calls).toEqual([
			[
				"post",
				"/v1/classes/{classId}/enrollments",
				{ params: { classId: "c" }, body: { userId: "u" }, key: "k" },
			],
		]);
	});
	it("has its dates, its charge and its rest again", async () => {
		const calls = await callsOf({
			...removed,
			primary: true,
			beginDate: "2026-04-08",
			status: "suspended",
		});
		expect(calls.slice(1)).toEqual([
			[
				"put",
				"/v1/enrollments/{enrollmentId}",
				{
					params: { enrollmentId: "new" },
					body: { role: "teacher", primary: true, beginDate: "2026-04-08", endDate: undefined },
					ifMatch: '"v1"',
				},
			],
			["post", "/v1/enrollments/{enrollmentId}/suspend", { params: { enrollmentId: "new" } }],
		]);
	});
});
