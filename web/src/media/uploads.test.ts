import { afterEach, expect, it, vi } from "vitest";
import type { Clip } from "./queue";
import { sender } from "./uploads";

vi.stubGlobal("navigator", {});
afterEach(() => vi.restoreAllMocks());

it("what is given up is given up with the token that the session has now", async () => {
	const fetched = vi.fn<typeof fetch>();
	fetched.mockResolvedValueOnce(new Response(null, { status: 401 }));
	fetched.mockResolvedValueOnce(new Response(null, { status: 204 }));
	vi.stubGlobal("fetch", fetched);
	await sender.discard({ uploadUrl: "https://school.example/v1/media/m1" } as Clip);
	expect(fetched.mock.calls.map(([url, init]) => [url, init?.method])).toEqual([
		["/v1/media/m1", "DELETE"],
		["/v1/media/m1", "DELETE"],
	]);
	for (const [, init] of fetched.mock.calls)
		expect(init?.headers).toMatchObject({ "Tus-Resumable": "1.0.0" });
});

it("what has become a try is not given up", async () => {
	const fetched = vi.fn<typeof fetch>();
	vi.stubGlobal("fetch", fetched);
	await sender.discard({ uploadUrl: "/v1/media/m1", tryId: "t" } as Clip);
	await sender.discard({} as Clip);
	expect(fetched).not.toHaveBeenCalled();
});
