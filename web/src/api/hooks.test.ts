import { describe, expect, it } from "vitest";
import { partAgain } from "./hooks";

describe("an answer of several parts", () => {
	it("is asked for again while one has not come", () => {
		expect(partAgain({ learning: null, partial: ["learning"] })).toBeGreaterThan(0);
	});
	it("is left alone once it is whole, as is any other", () => {
		for (const answer of [{ learning: {}, partial: [] }, { items: [] }, undefined, null])
			expect(partAgain(answer)).toBe(false);
	});
});
