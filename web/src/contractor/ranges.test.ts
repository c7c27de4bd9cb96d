import { describe, expect, it } from "vitest";
import { rangesOf } from "./ranges";

describe("ranges of addresses", () => {
	it("are taken however they were typed", () => {
		const ranges = ["192.0.2.0/24", "2001:db8::/32"];
		for (const typed of [
			"192.0.2.0/24\n2001:db8::/32",
			" 192.0.2.0/24\r\n\r\n 2001:db8::/32 ",
			"192.0.2.0/24, 2001:db8::/32",
		]) {
			expect(rangesOf(typed)).toEqual(ranges);
		}
	});
	it("are none when nothing was typed", () => {
		expect(rangesOf(" \n")).toEqual([]);
	});
});
