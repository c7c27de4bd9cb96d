import { describe, expect, it } from "vitest";
import { groupsOf } from "./SearchPage";

const user = {
	id: "u",
	familyName: "青木",
	givenName: "はると",
	kanaFamilyName: "あおき",
	kanaGivenName: "はると",
	role: "student",
	status: "active",
} as const;

describe("what a search found", () => {
	const found = {
		provisioning: { users: [user], classes: [] },
		learning: null,
		notification: { announcements: [] },
		partial: ["learning" as const],
	};
	it("is shown by kind, without empty kinds", () => {
		expect(groupsOf(found, true).map(({ label }) => label)).toEqual(["search.users"]);
	});
	it("leads where the role may look", () => {
		expect(groupsOf(found, true)[0]?.hits[0]?.href).toBe("/users/u");
		expect(groupsOf(found, false)[0]?.hits[0]?.href).toBe("/classes");
	});
});
