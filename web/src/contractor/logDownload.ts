/*
 * The log to take away: one file that `manabiya-verify download` checks without us, as lines or as a table for
 * spreadsheets. verify/download.c and table.c say what they look like.
 */
import { address, api, apiFile } from "../api/client";
import type { AuditEvent } from "../api/types";
import type { Search } from "./logSearch";

const HEAD = "manabiya-log-download@v1\n";
const RANGE_HEAD = "manabiya-log-range@v1\n";
const COLUMNS = 11; // up to the stored line
const PAGE_SIZE = 200;

const keyLines = (keys: string[]) => keys.map((key) => `key ${key}\n`).join("");

/** What stands before the lines of a run: `range` is the answer of /v1/audit/log/range. */
export function runHead(keys: string[], range: string): string {
	const end = range.indexOf("\n\n") + 2; // behind the hashes; the checkpoint follows
	if (!range.startsWith(RANGE_HEAD) || end < 2) throw new Error("not the proof of a range");
	const proof = range.slice(RANGE_HEAD.length, end);
	return `${HEAD}${keyLines(keys)}\n${range.slice(end)}\n${proof}`;
}

/** Single events, each with its proof in the tree of the checkpoint. */
export function foundFile(keys: string[], checkpoint: string, events: AuditEvent[]): string {
	const proven = events.map(
		({ sequence, proof, line }) => `index ${sequence - 1}\n${proof ?? ""}\n${line}\n`,
	);
	return `${HEAD}${keyLines(keys)}\n${checkpoint}\n${proven.join("")}`;
}

/** Behind the last row of the service's table: what stands before the lines of the other file. */
export const proofRow = (head: string) =>
	`"proof"${',""'.repeat(COLUMNS - 2)},"${head.replaceAll('"', '""')}"\r\n`;

const logText = async (path: string) => (await apiFile(`/v1/audit/log/${path}`)).text();

const sizeOf = (checkpoint: string) => Number(checkpoint.split("\n")[1]);

/** Everything that is kept of the log up to the latest checkpoint: its proof, and it itself in that form. */
async function whole(form: string): Promise<[string, Blob]> {
	const { keys, first } = await api("get", "/v1/audit/log/key");
	const run = `?first=${first}&end=${sizeOf(await logText("checkpoint"))}`;
	return [
		runHead(keys, await logText(`range${run}`)),
		await apiFile(`/v1/audit/log/${form}${run}`),
	];
}

export const wholeLog = async () => new Blob(await whole("export"));

export async function wholeTable(): Promise<Blob> {
	const [head, rows] = await whole("table");
	return new Blob([rows, proofRow(head)]);
}

async function found(search: Search, most: number, provenIn: number): Promise<AuditEvent[]> {
	const events: AuditEvent[] = [];
	let cursor: string | undefined;
	do {
		const query = { ...search, provenIn, limit: PAGE_SIZE, cursor } as never;
		const page = await api("get", "/v1/audit/events", { query });
		events.push(...page.items);
		cursor = page.nextCursor;
	} while (cursor && events.length < most);
	return events;
}

export async function foundProven(search: Search, most: number): Promise<Blob> {
	const { keys } = await api("get", "/v1/audit/log/key");
	const checkpoint = await logText("checkpoint");
	return new Blob([foundFile(keys, checkpoint, await found(search, most, sizeOf(checkpoint)))]);
}

export async function foundTable(search: Search): Promise<Blob> {
	const { keys } = await api("get", "/v1/audit/log/key");
	const checkpoint = await logText("checkpoint");
	const query = { ...search, provenIn: sizeOf(checkpoint) };
	const rows = await apiFile(address("/v1/audit/events/table", {}, query));
	return new Blob([rows, proofRow(foundFile(keys, checkpoint, []))]);
}

/** Hand a file to the browser's downloads. */
export function save(name: string, file: Blob): void {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(file);
	link.download = name;
	link.click();
	URL.revokeObjectURL(link.href);
}
