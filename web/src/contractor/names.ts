/* Names of the people whom the log names by their ids. */
import { useQueries } from "@tanstack/react-query";
import { api } from "../api/client";
import type { User } from "../api/types";
import { useSelf } from "../session/session";
import { fullName } from "../shared/home";

const NAMES_MAX = 40; // people looked up by name per screen; beyond it the id stands

/** As far as they still exist in the contract. */
export function useNames(ids: (string | undefined)[]): Map<string, string> {
	const isContractor = useSelf().role === "contractor";
	const different = [...new Set(ids.filter((id) => id !== undefined))];
	const users = useQueries({
		queries: (isContractor ? different.slice(0, NAMES_MAX) : []).map((userId) => ({
			queryKey: ["/v1/users/{userId}", { userId }, "name"],
			queryFn: (): Promise<User> => api("get", "/v1/users/{userId}", { params: { userId } }),
			staleTime: Number.POSITIVE_INFINITY,
			retry: false,
		})),
	});
	return new Map(users.flatMap(({ data }) => (data ? [[data.id, fullName(data)]] : [])));
}
