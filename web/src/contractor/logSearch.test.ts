import { describe, expect, it } from "vitest";
import { hrefOf, searchOf } from "./logSearch";

describe("a search of the log", () => {
	it("comes out of its address as it went in", () => {
		const search = {
			from: "2026-04-08T00:00:00.000Z",
			until: "2026-04-08T01:00:00.000Z",
			ownerId: "01900000-0000-7000-8000-000000000001",
			verb: "read",
			kind: "all",
		} as const;
		expect(searchOf(hrefOf(search).slice("/audit?".length))).toEqual(search);
		expect(searchOf("")).toEqual({});
	});
	it("leaves out what is empty and what it does not know", () => {
		expect(hrefOf({ label: undefined, outcome: "failure" })).toBe("/audit?outcome=failure");
		expect(searchOf("label=&outcome=failure&limit=9")).toEqual({ outcome: "failure" });
	});
});
