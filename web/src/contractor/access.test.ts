import { describe, expect, it } from "vitest";
import type { AuditEvent } from "../api/types";
import { rowsOf } from "./access";

const told = {
	actors: [{ type: "anonymous" }, { uid: "u1", type: "student", ip: "192.0.2.7" }],
	routes: [
		{ operation: "learning.try_get", method: "GET", path: "/v1/tries/{tryId}" },
		{ method: "GET", path: "/v1/session" },
	],
	requests: [
		{ uid: "r1", ms: 0, actor: 0, route: 1, code: 200, us: [1, 2, 3] },
		{ uid: "r2", object: "t1", ms: 900, actor: 1, route: 0, code: 304, us: [1, 2, 3] },
	],
};
const access: AuditEvent = {
	id: "e1",
	sequence: 7,
	time: "2026-04-08T00:30:00.500Z",
	operation: "gateway.request",
	outcome: "success",
	line: JSON.stringify({ unmapped: told }),
};
const activity: AuditEvent = { ...access, id: "e2", operation: "learning.try_create", line: "{}" };

describe("rows of the log", () => {
	it("are the requests of an event, newest first, and other events as they are", () => {
		const rows = rowsOf([activity, access], {});
		expect(
			rows.map(({ id, time, actorId, objectId, text }) => [id, time, actorId, objectId, text]),
		).toEqual([
			["e2", activity.time, undefined, undefined, undefined],
			["e1/r2", "2026-04-08T00:30:01.400Z", "u1", "t1", "GET /v1/tries/{tryId} → 304"],
			["e1/r1", "2026-04-08T00:30:00.500Z", undefined, undefined, "GET /v1/session → 200"],
		]);
		expect(rows.map(({ sequence }) => sequence)).toEqual([7, 7, 7]);
	});
	it("are those that were looked for", () => {
		const ids = (wanted: object) => rowsOf([access], wanted).map(({ id }) => id);
		expect(ids({ actorId: "u1" })).toEqual(["e1/r2"]);
		expect(ids({ objectId: "t1" })).toEqual(["e1/r2"]);
		expect(ids({ requestId: "r1" })).toEqual(["e1/r1"]);
		expect(ids({ operation: "learning.try_get" })).toEqual(["e1/r2"]);
		expect(ids({ operation: "gateway.request" })).toEqual(["e1/r2", "e1/r1"]);
		expect(ids({ actorId: "u1", objectId: "t2" })).toEqual([]);
	});
	it("say what is nobody's doing but the product's own", () => {
		const own = { ...activity, line: '{"actor":{"user":{"uid":"learning","type":"service"}}}' };
		const login = { ...activity, line: '{"actor":{"user":{"type":"anonymous"}}}' };
		expect(rowsOf([own, login, activity], {}).map(({ bySystem }) => bySystem)).toEqual([
			true,
			false,
			false,
		]);
	});
	it("say from where", () => {
		const login = { ...activity, line: '{"src_endpoint":{"ip":"192.0.2.9"}}' };
		expect(rowsOf([login, access], {}).map(({ source }) => source)).toEqual([
			"192.0.2.9",
			"192.0.2.7",
			undefined,
		]);
	});
});
