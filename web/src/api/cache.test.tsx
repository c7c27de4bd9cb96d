import { InfiniteQueryObserver, QueryObserver, type UseQueryResult } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Async, Pages } from "../ui/states";
import { newClient } from "./cache";
import { ApiError } from "./client";

const KEY = ["/v1/tries"];
const TITLE = "ひみつ";

/** What an open page shows once reading again has failed like this. */
async function shownAfter(error: Error): Promise<string> {
	const client = newClient();
	client.setQueryData(KEY, TITLE);
	const queryFn = () => Promise.reject<string>(error);
	const observer = new QueryObserver(client, { queryKey: KEY, queryFn, retry: false });
	const close = observer.subscribe(() => {});
	await observer.refetch();
	const result = observer.getCurrentResult() as UseQueryResult<string>;
	close();
	expect(result.error).toBe(error);
	return renderToStaticMarkup(<Async of={result}>{(title) => <p>{title}</p>}</Async>);
}

async function listShownAfter(error: Error): Promise<string> {
	const client = newClient();
	client.setQueryData(KEY, { pages: [{ items: [TITLE] }], pageParams: [undefined] });
	const observer = new InfiniteQueryObserver(client, {
		queryKey: KEY,
		queryFn: () => Promise.reject<{ items: string[] }>(error),
		initialPageParam: undefined,
		getNextPageParam: () => undefined,
		retry: false,
	});
	const close = observer.subscribe(() => {});
	await observer.refetch();
	const result = observer.getCurrentResult();
	close();
	const data = result.data?.pages.flatMap((page) => page.items);
	return renderToStaticMarkup(
		<Pages of={{ ...result, data }} empty="error.notFoundText">
			{(titles) => <p>{titles}</p>}
		</Pages>,
	);
}

describe("a page that reads again", () => {
	it("shows the problem instead of what this person may not see any more", async () => {
		for (const status of [403, 404]) {
			const error = new ApiError(status, { title: `今は${status}` });
			for (const html of [await shownAfter(error), await listShownAfter(error)]) {
				expect(html).not.toContain(TITLE);
				expect(html).toContain(`今は${status}`);
			}
		}
	});

	it("keeps what it has while there is no network, or the server has trouble", async () => {
		const errors = [0, 401, 429, 500, 503].map((status) => new ApiError(status));
		for (const error of [...errors, new TypeError("no network")]) {
			expect(await shownAfter(error)).toBe(`<p>${TITLE}</p>`);
			expect(await listShownAfter(error)).toBe(`<p>${TITLE}</p>`);
		}
	});
});
