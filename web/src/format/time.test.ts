import { describe, expect, it } from "vitest";
import { clock, date, dateTime, endOfDay, fileSize, startOfDay } from "./time";

describe("moments", () => {
	it("shows a moment of a video in tenths", () => {
		expect(clock(2400)).toBe("0:02.4");
		expect(clock(2499)).toBe("0:02.4");
		expect(clock(61_050)).toBe("1:01.0");
		expect(clock(-5)).toBe("0:00.0");
	});
	it("shows Japanese time wherever the device is", () => {
		expect(dateTime("2026-04-07T15:30:00.000Z")).toMatch(/^4月8日.*0:30$/);
	});
	it("shows a calendar date as it is written", () => {
		expect(date("2026-04-08")).toMatch(/^4月8日/);
	});
	it("searches whole Japanese days", () => {
		expect(startOfDay("2026-04-08")).toBe("2026-04-07T15:00:00.000Z");
		expect(endOfDay("2026-04-08")).toBe("2026-04-08T15:00:00.000Z");
	});
	it("shows sizes", () => {
		expect(fileSize(1)).toBe("1 KB");
		expect(fileSize(2_840_000)).toBe("2.8 MB");
	});
});
