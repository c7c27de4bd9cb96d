/* Which records of the log are behind something unusual: the same that services/audit/anomaly.c counts. */
import type { Anomaly } from "../api/types";
import type { Search } from "./logSearch";

const MINUTE = 60_000;
/** How long the window is that each kind is counted in. */
const WINDOW: Record<Anomaly["kind"], number> = {
	many_videos: 60 * MINUTE,
	many_failures: 10 * MINUTE,
	odd_hours: 60 * MINUTE,
	bulk_download: 60 * MINUTE,
	incomplete_log: 60 * MINUTE,
	audit_stopped: 60 * MINUTE,
	many_keys: 60 * MINUTE,
	refused_keys: 60 * MINUTE,
	foreign_keys: 60 * MINUTE,
};
const WHAT: Record<Anomaly["kind"], Search> = {
	many_videos: { operation: "learning.media_content", outcome: "success" },
	many_failures: { verb: "logon", outcome: "failure" },
	odd_hours: { verb: "logon", outcome: "success" },
	bulk_download: { operation: "learning.export_archive", outcome: "success" },
	incomplete_log: { operation: "audit.log_gap" },
	audit_stopped: {},
	many_keys: { objectId: "keyring" },
	refused_keys: { objectId: "keyring" },
	foreign_keys: { objectId: "keyring" },
};

/** For a time in which nothing could be kept: what stands around it. */
export function eventsBehind({ kind, userId, beganAt, endedAt }: Anomaly): Search {
	const until = Date.parse(endedAt ?? beganAt) + (WINDOW[kind] ?? 60 * MINUTE); // a newer kind
	return { ...WHAT[kind], actorId: userId, from: beganAt, until: new Date(until).toISOString() };
}
