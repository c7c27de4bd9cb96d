/* The access log's events are each about several requests (libcommon/ocsf.h); people read and count requests. */
import type { AuditEvent } from "../api/types";

export const ACCESS_OPERATION = "gateway.request";

/** A row of the log: an event, or one of the requests that an event tells of. */
export interface LogRow extends AuditEvent {
	/** What it was, of a request, and the X-Request-Id of its answer. */
	text?: string;
	requestId?: string;
	/** The address that it came from. */
	source?: string;
	/** Nobody's doing but the product's own. */
	bySystem?: boolean;
	/** Of a request; an event has its own. */
	asked?: string;
}

interface Request {
	uid: string;
	object?: string;
	ms: number;
	actor: number;
	route: number;
	code: number;
}

interface Told {
	actors: { uid?: string; ip?: string }[];
	routes: { operation?: string; method: string; path: string }[];
	requests: Request[];
}

export interface Wanted {
	actorId?: string;
	objectId?: string;
	requestId?: string;
	operation?: string;
}

function rowOf(event: AuditEvent): LogRow {
	const { src_endpoint, actor } = JSON.parse(event.line);
	return { ...event, source: src_endpoint?.ip, bySystem: actor?.user?.type === "service" };
}

function requestsOf(event: AuditEvent): LogRow[] {
	const { actors, routes, requests }: Told = JSON.parse(event.line).unmapped;
	return requests.map((request) => ({
		...event,
		id: `${event.id}/${request.uid}`,
		time: new Date(Date.parse(event.time) + request.ms).toISOString(),
		actorId: actors[request.actor]?.uid,
		objectId: request.object,
		requestId: request.uid,
		source: actors[request.actor]?.ip,
		asked: routes[request.route]?.operation,
		line: JSON.stringify(request),
		text: `${routes[request.route]?.method} ${routes[request.route]?.path} → ${request.code}`,
	}));
}

/** What to show of events that were found: of an event of several requests those that were looked for, newest first. */
export function rowsOf(events: AuditEvent[], wanted: Wanted): LogRow[] {
	const isWanted = (row: LogRow) =>
		(!wanted.actorId || row.actorId === wanted.actorId) &&
		(!wanted.objectId || row.objectId === wanted.objectId) &&
		(!wanted.requestId || row.requestId === wanted.requestId) &&
		(!wanted.operation || [row.operation, row.asked].includes(wanted.operation));
	return events.flatMap((event) =>
		event.operation === ACCESS_OPERATION
			? requestsOf(event).filter(isWanted).reverse()
			: [rowOf(event)],
	);
}
