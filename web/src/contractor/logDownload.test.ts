import { describe, expect, it } from "vitest";
import type { AuditEvent } from "../api/types";
import { foundFile, proofRow, runHead } from "./logDownload";

const NOTE = "log.example/1\n5\nroot=\n\n— log.example/1 c2ln\n";
const event = (sequence: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
	id: `e${sequence}`,
	sequence,
	time: "2026-04-08T00:30:00.000Z",
	operation: "learning.try_create",
	outcome: "success",
	line: `{"n":${sequence}}`,
	...more,
});

describe("a download that can be verified", () => {
	it("puts keys, checkpoint and proof of a run before its lines", () => {
		const range = `manabiya-log-range@v1\nrange 2 4\nh1=\nh2=\n\n${NOTE}`;
		expect(runHead(["k+1+a", "k+2+b"], range)).toBe(
			`manabiya-log-download@v1\nkey k+1+a\nkey k+2+b\n\n${NOTE}\nrange 2 4\nh1=\nh2=\n\n`,
		);
	});
	it("needs no hashes for a whole tree", () => {
		const range = `manabiya-log-range@v1\nrange 0 5\n\n${NOTE}`;
		expect(runHead(["k"], range)).toBe(`manabiya-log-download@v1\nkey k\n\n${NOTE}\nrange 0 5\n\n`);
	});
	it("is made of nothing else", () => {
		expect(() => runHead(["k"], "<html>")).toThrow();
	});
	it("puts its own proof before each event that was found", () => {
		const events = [event(5, { proof: "h1=\nh2=\n" }), event(1, { proof: "" })];
		expect(foundFile(["k"], NOTE, events)).toBe(
			`manabiya-log-download@v1\nkey k\n\n${NOTE}\nindex 4\nh1=\nh2=\n\n{"n":5}\nindex 0\n\n{"n":1}\n`,
		);
	});
});

describe("a table", () => {
	it("has its proof as the last cell of its last row", () => {
		expect(proofRow('a "key"\n')).toBe(`"proof"${',""'.repeat(9)},"a ""key""\n"\r\n`);
	});
});
