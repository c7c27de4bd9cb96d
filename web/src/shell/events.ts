/*
 * Server-sent events. Each is only a hint that something changed, so whatever the event, the data on
 * the open page is read again; nothing in it is shown.
 */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { SESSION } from "../session/session";

const GATHER_MS = 250; // a class that sends at once is one refresh, not thirty
const RETRY_MS = 5000;

/** Read again what is shown, or only what was read before a moment. */
function refreshShown(client: QueryClient, before?: number): void {
	client.invalidateQueries({
		predicate: ({ queryKey, state }) =>
			queryKey[0] !== SESSION &&
			(before === undefined || (state.fetchStatus === "idle" && state.dataUpdatedAt <= before)),
	});
}

/** Listens as long as the page is open; says whether the line is up. */
export function useEvents(): boolean {
	const client = useQueryClient();
	const [isLive, setLive] = useState(false);
	useEffect(() => {
		let source: EventSource;
		let openedAt = 0;
		let gather: ReturnType<typeof setTimeout> | undefined;
		let retry: ReturnType<typeof setTimeout> | undefined;
		const onHint = () => {
			if (openedAt > 0) {
				// The first event says that the line is up: only what was read earlier can be old.
				refreshShown(client, openedAt);
				openedAt = 0;
				return;
			}
			gather ??= setTimeout(() => {
				gather = undefined;
				refreshShown(client);
			}, GATHER_MS);
		};
		const open = () => {
			source = new EventSource("/v1/events");
			source.onopen = () => {
				openedAt = Date.now();
				setLive(true);
			};
			source.onerror = () => {
				setLive(false);
				// The browser reconnects after a cut, but gives up after a refusal.
				if (source.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
			};
			source.onmessage = onHint;
		};
		open();
		return () => {
			source.close();
			clearTimeout(gather);
			clearTimeout(retry);
		};
	}, [client]);
	return isLive;
}
