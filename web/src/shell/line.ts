/*
 * One line for events per browser, however many tabs are open: HTTP/1.1 has six connections for all
 * of them, and the server counts streams. The tab that holds the lock listens and passes on what it
 * hears; when it closes, the next one takes over.
 */

/** What a tab hears. `refresh`: everything that was read before that moment (ms) may be old. */
export type Heard =
	| { kind: "hint" }
	| { kind: "refresh"; before: number }
	| { kind: "live"; isLive: boolean };
type Said = Heard | { kind: "who" };

export interface Source {
	onopen: (() => void) | null;
	onmessage: ((message: { data: string }) => void) | null;
	onerror: (() => void) | null;
	readonly readyState: number;
	close(): void;
}

export interface Channel {
	onmessage: ((message: { data: Said }) => void) | null;
	postMessage(said: Said): void;
	close(): void;
}

/** What the browser brings along. */
export interface Parts {
	open: () => Source;
	channel: () => Channel | undefined;
	/** Calls `lead` once this tab is the one that listens; it leads until `signal` aborts. */
	elect: (signal: AbortSignal, lead: () => void) => void;
}

const NAME = "manabiya-events";
const RETRY_MS = 5000;
const CLOSED = 2;

function elect(signal: AbortSignal, lead: () => void): void {
	if (!navigator.locks) {
		lead(); // each tab for itself
		return;
	}
	const whileOpen = () =>
		new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
	navigator.locks
		.request(NAME, { signal }, () => {
			lead();
			return whileOpen();
		})
		.catch(() => {}); // closed before it was this tab's turn
}

const BROWSER: Parts = {
	open: () => new EventSource("/v1/events") as Source,
	channel: () =>
		navigator.locks && "BroadcastChannel" in globalThis
			? (new BroadcastChannel(NAME) as unknown as Channel)
			: undefined,
	elect,
};

function isResync(data: string): boolean {
	try {
		return JSON.parse(data).type === "resync";
	} catch {
		return false; // to be read again like any hint
	}
}

/** Listens until the returned function is called. */
export function openLine(hear: (heard: Heard) => void, parts: Parts = BROWSER): () => void {
	const end = new AbortController();
	const channel = parts.channel();
	let isLive = false;
	let leads = false;
	const tell = (heard: Heard) => {
		if (heard.kind === "live") isLive = heard.isLive;
		hear(heard);
		channel?.postMessage(heard);
	};
	let source: Source | undefined;
	let retry: ReturnType<typeof setTimeout> | undefined;
	const listen = () => {
		let openedAt: number | undefined; // until the first event on the line
		const opened = parts.open();
		source = opened;
		opened.onopen = () => {
			openedAt = Date.now();
			tell({ kind: "live", isLive: true });
		};
		opened.onmessage = ({ data }) => {
			// The server says `resync` at the beginning, when only what was read earlier can be old, and
			// whenever it cannot say what was missed.
			const isFirst = openedAt !== undefined && isResync(data);
			tell(isFirst ? { kind: "refresh", before: openedAt as number } : { kind: "hint" });
			openedAt = undefined;
		};
		opened.onerror = () => {
			tell({ kind: "live", isLive: false });
			// The browser reconnects after a cut and says what it heard last, but gives up after a refusal.
			if (opened.readyState === CLOSED) retry = setTimeout(listen, RETRY_MS);
		};
	};
	if (channel) {
		channel.onmessage = ({ data }) => {
			if (data.kind !== "who") hear(data);
			else if (leads) channel.postMessage({ kind: "live", isLive });
		};
		channel.postMessage({ kind: "who" });
	}
	parts.elect(end.signal, () => {
		leads = true;
		listen();
	});
	return () => {
		source?.close();
		clearTimeout(retry);
		if (leads) channel?.postMessage({ kind: "live", isLive: false }); // until the next one listens
		end.abort();
		channel?.close();
	};
}
