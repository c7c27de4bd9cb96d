/* What was read, and how long a page may go on showing it. */
import { QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "./client";

/** It is not for this person any more, or not there; all else may be a bad network or a bad minute. */
function isWithdrawn(error: unknown): boolean {
	return error instanceof ApiError && (error.status === 403 || error.status === 404);
}

/**
 * An answer stays when reading it again fails, so that a lesson goes on without a network; but not
 * what this person may not see any more.
 */
export function newClient(): QueryClient {
	return new QueryClient({
		queryCache: new QueryCache({
			onError(error, query) {
				if (isWithdrawn(error)) query.setState({ data: undefined });
			},
		}),
		defaultOptions: {
			queries: {
				// What a person may not see or what is not there will not appear by asking again.
				retry: (count, error) => count < 3 && error instanceof ApiError && error.isTemporary,
				staleTime: 2_000,
				networkMode: "always",
			},
			mutations: { networkMode: "always" },
		},
	});
}
