/* A search of the log as a part of an address, so that what tells of something leads to the events behind it. */
import type { Query } from "../api/types";

type Asked = Query<"get", "/v1/audit/events">;

/** What can be searched for; the page of the log asks for more than its form has. */
export type Search = Pick<
	Asked,
	| "from"
	| "until"
	| "operation"
	| "outcome"
	| "actorId"
	| "objectId"
	| "ownerId"
	| "requestId"
	| "verb"
	| "label"
	| "kind"
>;

const NAMES = [
	"from",
	"until",
	"operation",
	"outcome",
	"actorId",
	"objectId",
	"ownerId",
	"requestId",
	"verb",
	"label",
	"kind",
] as const satisfies (keyof Search)[];

export function hrefOf(search: Search): string {
	const given = NAMES.flatMap((name) => (search[name] ? [[name, search[name]]] : []));
	return `/audit?${new URLSearchParams(given as [string, string][])}`;
}

/** What an address asks for; the service refuses what makes no sense. */
export function searchOf(query: string): Search {
	const asked = new URLSearchParams(query);
	return Object.fromEntries(
		NAMES.flatMap((name) => {
			const value = asked.get(name);
			return value ? [[name, value]] : [];
		}),
	);
}
