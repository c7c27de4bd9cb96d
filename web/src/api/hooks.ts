/* React's side of the API: reading, reading in pages, and writing. */
import {
	type QueryClient,
	type UseQueryResult,
	useInfiniteQuery,
	useMutation,
	useQuery,
	useQueryClient,
} from "@tanstack/react-query";
import { useRef } from "react";
import { type ApiError, api, apiAll, apiTagged, type Options, type Tagged } from "./client";
import type { Answer, Item, Method, PathWith } from "./types";

type ReadOptions<P extends PathWith<"get">> = Pick<Options<"get", P>, "params" | "query"> & {
	enabled?: boolean;
	/** Milliseconds; for what must stay fresh even when no event arrives. */
	every?: number;
};

const PART_AGAIN_MS = 5_000; // a service that was slow once is back by then

/** How long until what did not come in time with an answer of several parts is asked for again. */
export function partAgain(answer: unknown): number | false {
	const { partial } = (answer ?? {}) as { partial?: unknown };
	return Array.isArray(partial) && partial.length > 0 ? PART_AGAIN_MS : false;
}

export function useApi<P extends PathWith<"get">>(
	path: P,
	{ params, query, enabled, every }: ReadOptions<P> = {},
): UseQueryResult<Answer<"get", P>, ApiError> {
	return useQuery<Answer<"get", P>, ApiError>({
		queryKey: [path, params, query],
		queryFn: ({ signal }) => api("get", path, { params, query, signal }),
		enabled,
		refetchInterval: every ?? (({ state }) => partAgain(state.data)),
	});
}

interface TaggedOptions<P extends PathWith<"get">> {
	/** How often to look again at something that changes by itself; false when it does not. */
	everyMsWhile?: (body: Answer<"get", P>) => number | false;
}

/** A resource with its version, for changing it later. */
export function useTagged<P extends PathWith<"get">>(
	path: P,
	{ params, everyMsWhile }: ReadOptions<P> & TaggedOptions<P>,
): UseQueryResult<Tagged<Answer<"get", P>>, ApiError> {
	return useQuery<Tagged<Answer<"get", P>>, ApiError>({
		refetchInterval: ({ state }) =>
			state.data && everyMsWhile ? everyMsWhile(state.data.body) : false,
		queryKey: [path, params, "tagged"],
		queryFn: ({ signal }) => apiTagged("get", path, { params, signal }),
	});
}

/** A whole list, however many pages it has. */
export function useAll<P extends PathWith<"get">>(
	path: P,
	{ params, query }: ReadOptions<P> = {},
): UseQueryResult<Item<P>[], ApiError> {
	return useQuery<Item<P>[], ApiError>({
		queryKey: [path, params, query, "all"],
		queryFn: ({ signal }) => apiAll(path, { params, query, signal }),
	});
}

interface Page<T> {
	items: T[];
	nextCursor?: string;
}

/** A list that comes in pages: `items` grow with each `more()`. */
export function usePages<P extends PathWith<"get">>(
	path: P,
	{ params, query }: ReadOptions<P> = {},
) {
	type I = Item<P>;
	const pages = useInfiniteQuery<Page<I>, ApiError, I[], unknown[], string | undefined>({
		queryKey: [path, params, query, "pages"],
		queryFn: ({ pageParam, signal }) =>
			api("get", path, {
				params,
				query: { ...(query as object), cursor: pageParam } as never,
				signal,
			}) as unknown as Promise<Page<I>>,
		initialPageParam: undefined,
		getNextPageParam: (last) => last.nextCursor,
		select: (data) => data.pages.flatMap((page) => page.items),
	});
	return pages;
}

export function newKey(): string {
	return crypto.randomUUID();
}

/**
 * One key per wish: sending the same body again after a failure keeps the key, so that nothing
 * happens twice; another body, or the next wish after a success, gets a new one.
 */
export function useKey() {
	const last = useRef<{ text: string; key: string } | undefined>(undefined);
	return {
		of(body: unknown): string {
			const text = JSON.stringify(body) ?? "";
			if (last.current?.text !== text) last.current = { text, key: newKey() };
			return last.current.key;
		},
		done() {
			last.current = undefined;
		},
	};
}

/** Forget what was read from these paths, so that open pages read it again. */
export function refresh(client: QueryClient, ...paths: PathWith<"get">[]): Promise<unknown> {
	return Promise.all(paths.map((path) => client.invalidateQueries({ queryKey: [path] })));
}

/** Write, then refresh what the write changed. */
export function useWrite<M extends Exclude<Method, "get">, P extends PathWith<M>>(
	method: M,
	path: P,
	changes: PathWith<"get">[] = [],
) {
	const client = useQueryClient();
	const key = useKey();
	return useMutation<Answer<M, P>, ApiError, Options<M, P>>({
		mutationFn: async (options) => {
			const isCreation = method === "post";
			const wish = {
				...options,
				key: isCreation ? key.of([options.params, options.body]) : undefined,
			};
			const answer = await api(method, path, wish);
			key.done();
			return answer;
		},
		onSuccess: () => refresh(client, ...changes),
	});
}
