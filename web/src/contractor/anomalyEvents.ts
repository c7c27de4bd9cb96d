/* Which records of the log are behind something unusual: the same that services/audit/anomaly.c counts. */
import type { Anomaly } from "../api/types";
import type { Search } from "./logSearch";

const HOUR = 3_600_000;
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

/** From its begin to its end, or an hour; of a time in which nothing could be kept, what stands around it. */
export function eventsBehind({ kind, userId, beganAt, endedAt }: Anomaly): Search {
	const anHourAfter = (time: string) => new Date(Date.parse(time) + HOUR).toISOString();
	const until = endedAt && kind !== "audit_stopped" ? endedAt : anHourAfter(endedAt ?? beganAt);
	return { ...WHAT[kind], actorId: userId, from: beganAt, until };
}
