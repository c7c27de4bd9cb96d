/*
 * Server-sent events. Each is only a hint that something changed, so whatever the event, the data on
 * the open page is read again; nothing in it is shown.
 */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { SESSION } from "../session/session";
import { openLine } from "./line";

const GATHER_MS = 250; // a class that sends at once is one refresh, not thirty

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
		let gather: ReturnType<typeof setTimeout> | undefined;
		const close = openLine((heard) => {
			if (heard.kind === "live") setLive(heard.isLive);
			else if (heard.kind === "refresh") refreshShown(client, heard.before);
			else
				gather ??= setTimeout(() => {
					gather = undefined;
					refreshShown(client);
				}, GATHER_MS);
		});
		return () => {
			close();
			clearTimeout(gather);
		};
	}, [client]);
	return isLive;
}
