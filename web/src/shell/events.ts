/*
 * Server-sent events. Each is only a hint that something changed, so whatever the event, the data on
 * the open page is read again; nothing in it is shown.
 */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { SESSION } from "../session/session";

const GATHER_MS = 250; // a class that sends at once is one refresh, not thirty
const RETRY_MS = 5000;
const TOPICS = ["message", "hint", "notice", "lesson", "announcement", "session"];

/** Listens as long as the page is open; says whether the line is up. */
export function useEvents(): boolean {
	const client = useQueryClient();
	const [isLive, setLive] = useState(false);
	useEffect(() => {
		let source: EventSource;
		let gather: ReturnType<typeof setTimeout> | undefined;
		let retry: ReturnType<typeof setTimeout> | undefined;
		const refreshAll = () => {
			gather = undefined;
			client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION });
		};
		const onHint = () => {
			gather ??= setTimeout(refreshAll, GATHER_MS);
		};
		let wasCut = false;
		const open = () => {
			source = new EventSource("/v1/events");
			source.onopen = () => {
				setLive(true);
				if (wasCut) onHint(); // something may have happened meanwhile
				wasCut = false;
			};
			source.onerror = () => {
				setLive(false);
				wasCut = true;
				// The browser reconnects after a cut, but gives up after a refusal.
				if (source.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
			};
			for (const topic of TOPICS) source.addEventListener(topic, onHint);
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
