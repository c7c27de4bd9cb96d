import { describe, expect, it } from "vitest";
import { type Rule, rulesOf, shorter } from "./retention";

const record = (days: number): Rule => ({ kind: "record", label: "III", days });

describe("how long things are kept", () => {
	it("is no rule where nothing was typed", () => {
		const data = new FormData();
		data.set("record-III", " 365 ");
		data.set("notice-IV", "");
		expect(rulesOf(data)).toEqual([record(365)]);
	});
	it("is less when a number falls or where there was none", () => {
		expect(shorter([record(365)], [record(36)])).toEqual([record(36)]);
		expect(shorter([], [record(3650)])).toEqual([record(3650)]);
	});
	it("is no less when it stays, rises or has no end any more", () => {
		expect(shorter([record(365)], [record(365)])).toEqual([]);
		expect(shorter([record(365)], [record(400)])).toEqual([]);
		expect(shorter([record(365)], [])).toEqual([]);
	});
});
