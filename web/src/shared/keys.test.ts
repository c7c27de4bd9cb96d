import { describe, expect, it } from "vitest";
import { countOf, sealedOf } from "./keys";

const row = (column: string, version: number, count: number) => ({
	column,
	version,
	count,
	ofUser: false,
});

describe("what lies under a version", () => {
	const keys = {
		provisioning: { versions: [], sealed: [row("person.name", 1, 3), row("person.name", 2, 4)] },
		learning: { sealed: [row("comment.text", 2, 5)] },
		notification: null,
		partial: ["notification"],
	};
	it("is added up over the services that answered", () => {
		const rows = sealedOf(keys as never);
		expect(rows.length).toBe(3);
		expect([1, 2, 3].map((version) => countOf(rows, version))).toEqual([3, 9, 0]);
	});
});
