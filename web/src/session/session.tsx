/* Who is here. The session lives in a cookie that scripts cannot read; this asks the server. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { ApiError, api } from "../api/client";
import type { Feature, Self } from "../api/types";

export const SESSION = "/v1/session";

const FRESH_MS = 60_000; // so that a changed function limit reaches an open page

/** It never changes, and the lesson goes on without it. */
async function ownName(known: Self | null | undefined): Promise<string> {
	if (known?.username) return known.username;
	try {
		return (await api("get", "/v1/self", { quiet: true })).username;
	} catch {
		return "";
	}
}

/** `null`: nobody is logged in. */
export function useSession() {
	const client = useQueryClient();
	return useQuery<Self | null, ApiError>({
		queryKey: [SESSION],
		queryFn: async () => {
			// Who was known is asked for the password over the open page; a stranger sees the login.
			const isKnown = Boolean(client.getQueryData([SESSION]));
			try {
				const session = await api("get", SESSION, { quiet: !isKnown });
				return { ...session, username: await ownName(client.getQueryData<Self>([SESSION])) };
			} catch (e) {
				if (!isKnown && e instanceof ApiError && e.status === 401) return null;
				throw e;
			}
		},
		staleTime: FRESH_MS,
	});
}

const SelfContext = createContext<Self | undefined>(undefined);
export const SelfProvider = SelfContext.Provider;

/** The person who is logged in; only inside the screens behind the login. */
export function useSelf(): Self {
	const self = useContext(SelfContext);
	if (!self) throw new Error("useSelf outside of a session");
	return self;
}

export function useFeature(feature: Feature): boolean {
	return useSelf().features.includes(feature);
}

/** Ask again who is here, after a login or a password change. */
export function useSessionChanged() {
	const client = useQueryClient();
	return () => client.invalidateQueries({ queryKey: [SESSION] });
}

export async function logout(): Promise<void> {
	try {
		await api("delete", SESSION, { quiet: true });
	} catch (e) {
		if (!(e instanceof ApiError && e.status === 401)) throw e;
	}
	// A full load: nothing of this person stays in memory on a shared device.
	window.location.assign("/");
}
