import { expect, it } from "vitest";
import type { Anomaly } from "../api/types";
import { eventsBehind } from "./anomalyEvents";

const found: Anomaly = {
	id: "a1",
	kind: "many_videos",
	userId: "u1",
	beganAt: "2026-04-08T00:00:00.000Z",
	endedAt: "2026-04-08T00:47:00.001Z",
	count: 200,
	seen: false,
};

it("the events behind it are those of its window", () => {
	expect(eventsBehind(found)).toEqual({
		operation: "learning.media_content",
		outcome: "success",
		actorId: "u1",
		from: "2026-04-08T00:00:00.000Z",
		until: "2026-04-08T00:47:00.001Z",
	});
	const stop = { ...found, kind: "audit_stopped", endedAt: "2026-04-08T02:00:00.000Z" } as const;
	expect(eventsBehind(stop).until).toBe("2026-04-08T03:00:00.000Z");
	const keys = { ...found, kind: "refused_keys", userId: undefined } as const;
	expect(eventsBehind(keys)).toMatchObject({ objectId: "keyring", from: found.beganAt });
	const failures = { ...found, kind: "many_failures", userId: undefined } as const;
	expect(eventsBehind(failures)).toMatchObject({ verb: "logon", outcome: "failure" });
	expect(eventsBehind(failures).until).toBe(found.endedAt);
	const night = { ...found, kind: "odd_hours", endedAt: undefined } as const;
	expect(eventsBehind(night).until).toBe("2026-04-08T01:00:00.000Z");
});

it("of a kind that only a newer page knows, what stands in that hour", () => {
	const newer = { ...found, kind: "of a newer release" as Anomaly["kind"], endedAt: undefined };
	const hour = { from: "2026-04-08T00:00:00.000Z", until: "2026-04-08T01:00:00.000Z" };
	expect(eventsBehind(newer)).toEqual({ actorId: "u1", ...hour });
});
