/* Reading one try with its comments, and the moment that the address asks for. */
import { useSearch } from "wouter";
import { useApi } from "../api/hooks";
import { useLive } from "../shell/Shell";

const POLL_MS = 20_000; // only while the line for events is down

export function usePolling(): number | undefined {
	return useLive() ? undefined : POLL_MS;
}

export function useTry(tryId: string) {
	const every = usePolling();
	const detail = useApi("/v1/tries/{tryId}", { params: { tryId }, every });
	const comments = useApi("/v1/tries/{tryId}/comments", { params: { tryId }, every });
	return { detail, comments };
}

/** `?t=2400`: the moment of the video, in milliseconds, that a notice leads to. */
export function useMoment(): number | undefined {
	const value = new URLSearchParams(useSearch()).get("t");
	return value && /^\d{1,7}$/.test(value) ? Number(value) : undefined;
}
