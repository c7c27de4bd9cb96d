import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
	ApiError,
	address,
	api,
	apiAll,
	apiFile,
	apiTagged,
	COOKIE_CHANGES,
	onPasswordNeeded,
	problemOf,
	retryAfter,
	withheldAt,
} from "./client";

function answer(status: number, body?: unknown, headers: Record<string, string> = {}) {
	return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
}

function serve(...answers: Response[]) {
	const fetched = vi.fn<typeof fetch>();
	for (const response of answers) fetched.mockResolvedValueOnce(response);
	vi.stubGlobal("fetch", fetched);
	return fetched;
}

const sent = (fetched: ReturnType<typeof serve>, call = 0) => fetched.mock.calls[call]?.[1];
const failure = (promise: Promise<unknown>) => promise.catch((e: unknown) => e as ApiError);

/** Locks for one page: one after the other, as they were asked for. */
function locks() {
	let last: Promise<unknown> = Promise.resolve();
	return {
		request: (_name: string, _how: object, work: () => Promise<unknown>) => {
			const done = last.then(work);
			last = done.catch(() => {});
			return done;
		},
	};
}

beforeEach(() => vi.stubGlobal("navigator", { locks: locks() }));
afterEach(() => {
	vi.unstubAllGlobals();
	onPasswordNeeded(() => Promise.resolve(false));
});

describe("addresses", () => {
	it("fills in parameters and leaves out what is not asked", () => {
		expect(address("/v1/tries/{tryId}/comments", { tryId: "a/b" })).toBe(
			"/v1/tries/a%2Fb/comments",
		);
		expect(address("/v1/users", {}, { q: "あ", role: undefined, limit: 20 })).toBe(
			"/v1/users?q=%E3%81%82&limit=20",
		);
	});
});

describe("types", () => {
	it("let the compiler refuse what the contract does not have", async () => {
		serve(answer(200, { items: [] }), answer(200), answer(200), answer(200));
		const users = await api("get", "/v1/users", { query: { limit: 5 } });
		// @ts-expect-error: a user has no such member
		expect(users.items.map((user) => user.nickname)).toEqual([]);
		// @ts-expect-error: no such path with this method
		await api("delete", "/v1/users");
		// @ts-expect-error: a parameter of another name
		await api("get", "/v1/users/{userId}", { params: { id: "u" } });
		// @ts-expect-error: not one of the roles
		await api("get", "/v1/users", { query: { role: "parent" } });
	});
});

describe("requests", () => {
	it("send JSON with the key, the version and the language", async () => {
		const fetched = serve(answer(200, { id: "x" }));
		await api("patch", "/v1/users/{userId}", {
			params: { userId: "u" },
			body: { givenName: "葵" },
			key: "k",
			ifMatch: '"3"',
		});
		expect(fetched.mock.calls[0]?.[0]).toBe("/v1/users/u");
		expect(sent(fetched)?.method).toBe("PATCH");
		expect(sent(fetched)?.body).toBe('{"givenName":"葵"}');
		expect(sent(fetched)?.headers).toMatchObject({
			"Content-Type": "application/json",
			"Idempotency-Key": "k",
			"If-Match": '"3"',
			"Accept-Language": "ja",
		});
	});
	it("read the version of what they read", async () => {
		serve(answer(200, { id: "u" }, { ETag: '"v3"' }));
		const read = await apiTagged("get", "/v1/users/{userId}", { params: { userId: "u" } });
		expect(read).toEqual({ body: { id: "u" }, etag: '"v3"' });
	});
	it("answer nothing for 204", async () => {
		serve(answer(204));
		expect(await api("delete", "/v1/users/{userId}", { params: { userId: "u" } })).toBeUndefined();
	});
	it("send a file as it is", async () => {
		const fetched = serve(answer(200, {}));
		const data = new Blob(["a,b"]);
		await api("post", "/v1/imports/users", {
			query: { dryRun: true },
			raw: { type: "text/csv", data },
		});
		expect(sent(fetched)?.body).toBe(data);
		expect(sent(fetched)?.headers).toMatchObject({ "Content-Type": "text/csv" });
	});
});

describe("errors", () => {
	it("carry the problem and its fields", async () => {
		const problem = {
			type: "about:blank",
			title: "入力を確かめてください。",
			status: 422,
			code: "invalid",
			errors: [{ pointer: "/name", detail: "短すぎます。" }],
		};
		serve(answer(422, problem));
		const error = await failure(api("get", "/v1/home"));
		expect(error).toBeInstanceOf(ApiError);
		expect(error).toMatchObject({ status: 422, code: "invalid", title: problem.title });
		expect((error as ApiError).errors).toEqual(problem.errors);
		expect((error as ApiError).isTemporary).toBe(false);
	});
	it("say how long to wait", async () => {
		serve(answer(429, { code: "limited" }, { "Retry-After": "30" }));
		const error = await failure(api("get", "/v1/home"));
		expect(error).toMatchObject({ status: 429, retryAfterSeconds: 30, isTemporary: true });
	});
	it("understand both forms of Retry-After", () => {
		expect(retryAfter("12")).toBe(12);
		expect(retryAfter("Mon, 23 Nov 2026 07:00:30 GMT", Date.UTC(2026, 10, 23, 7))).toBe(30);
		expect(retryAfter("soon")).toBeUndefined();
		expect(retryAfter(null)).toBeUndefined();
	});
	it("stand for a lost network", async () => {
		vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new TypeError("failed to fetch")));
		expect(await failure(api("get", "/v1/home"))).toMatchObject({ status: 0, code: "network" });
	});
	it("survive an answer that is not a problem", () => {
		expect(problemOf(502, "<html>", null)).toMatchObject({ status: 502, code: "http_502" });
	});
});

describe("a session that ended", () => {
	const over = () => answer(401, { code: "unauthenticated" });
	it("is renewed, and the same request sent once more", async () => {
		const fetched = serve(over(), over(), answer(200, { ok: true }));
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		await api("post", "/v1/tries/{tryId}/submit", { params: { tryId: "t" } });
		expect(ask.mock.calls).toEqual([["login"]]);
		expect(fetched).toHaveBeenCalledTimes(3);
		expect(sent(fetched, 2)).toEqual(sent(fetched, 0));
	});
	it("stays an error when nobody logs in", async () => {
		serve(over(), over());
		expect(await failure(api("get", "/v1/home"))).toMatchObject({ status: 401 });
	});
	it("is asked for once, not for ever", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		serve(over(), over(), over(), over());
		expect(await failure(api("get", "/v1/home"))).toMatchObject({ status: 401 });
		expect(ask).toHaveBeenCalledTimes(1);
	});
	it("is not asked for where a login is being tried, which is sent once", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		const fetched = serve(over());
		await failure(api("get", "/v1/session", { quiet: true }));
		expect(ask).not.toHaveBeenCalled();
		expect(fetched).toHaveBeenCalledTimes(1);
	});
});

describe("a session that got another token", () => {
	const refused = () => answer(401, { code: "unauthenticated" });
	/** Answers come when the test gives them. */
	function hold() {
		const answers: ((answer: Response) => void)[] = [];
		const fetched = vi.fn(() => new Promise<Response>((resolve) => answers.push(resolve)));
		vi.stubGlobal("fetch", fetched);
		return { fetched, give: (call: number, given: Response) => answers[call]?.(given) };
	}
	const paths = (fetched: ReturnType<typeof hold>["fetched"]) =>
		fetched.mock.calls.map((call) => (call as unknown[])[0]);
	const settle = () => new Promise((resolve) => setTimeout(resolve));
	const proof = () => api("post", "/v1/session/step-up", { body: { password: "p" }, quiet: true });

	it("is not asked for a password by what was under way with the one before", async () => {
		const ask = vi.fn(() => Promise.resolve(false));
		onPasswordNeeded(ask);
		const { fetched, give } = hold();
		const home = api("get", "/v1/home");
		const proven = proof();
		await settle();
		give(0, refused());
		await settle();
		expect(paths(fetched)).toEqual(["/v1/home", "/v1/session/step-up"]); // which cookie, nobody knows yet
		give(1, answer(204));
		await proven;
		await settle();
		expect(paths(fetched)).toEqual(["/v1/home", "/v1/session/step-up", "/v1/home"]);
		give(2, answer(200, { fresh: true }));
		expect(await home).toEqual({ fresh: true });
		expect(ask).not.toHaveBeenCalled();
	});
	it("is ended by its new token", async () => {
		const { fetched, give } = hold();
		const proven = proof();
		const ended = api("delete", "/v1/session", { quiet: true });
		await settle();
		expect(paths(fetched)).toEqual(["/v1/session/step-up"]);
		give(0, answer(422, { code: "invalid" })); // another password would do no harm either
		expect(await failure(proven)).toMatchObject({ status: 422 });
		await settle();
		give(1, answer(204));
		await ended;
	});
	it("is not taken for a stranger's while a page begins, whoever comes first", async () => {
		const { fetched, give } = hold();
		const first = proof();
		const began = api("get", "/v1/session", { quiet: true }); // with whatever token there is then
		const second = proof();
		await settle();
		expect(paths(fetched)).toEqual(["/v1/session/step-up"]);
		give(0, answer(204));
		await first;
		await settle();
		expect(paths(fetched)).toEqual(["/v1/session/step-up", "/v1/session"]); // which ends with this token
		give(1, answer(200, { role: "student" }));
		expect(await began).toEqual({ role: "student" });
		await settle();
		give(2, answer(204));
		await second;
	});
	it("gives a file too", async () => {
		serve(refused(), new Response("a,b"));
		expect(await (await apiFile("/v1/audit/events/table")).text()).toBe("a,b");
	});
	it("does without locks in an old browser", async () => {
		vi.stubGlobal("navigator", {});
		serve(answer(204), refused(), answer(200, { ok: true }));
		await proof();
		expect(await api("get", "/v1/home")).toEqual({ ok: true });
	});
	it("got it by one of the operations whose answers carry a cookie", () => {
		const found: string[] = [];
		let [path, method] = ["", ""];
		const contract = new URL("../../../proto/auth.yaml", import.meta.url);
		for (const line of readFileSync(contract, "utf8").split("\n")) {
			path = /^ {2}(\/v1\S+):$/.exec(line)?.[1] ?? path;
			method = /^ {4}(\w+):$/.exec(line)?.[1] ?? method;
			if (/^\s+Set-Cookie:/.test(line)) found.push(`${method} ${path}`);
		}
		expect(found.toSorted()).toEqual(COOKIE_CHANGES.toSorted());
	});
});

describe("whole lists", () => {
	it("follow the cursor to the end", async () => {
		const fetched = serve(
			answer(200, { items: [{ id: "a" }, { id: "b" }], nextCursor: "x/1" }),
			answer(200, { items: [], nextCursor: "x2" }),
			answer(200, { items: [{ id: "c" }] }),
		);
		const items = await apiAll("/v1/classes/{classId}/enrollments", { params: { classId: "k" } });
		expect(items.map(({ id }) => id)).toEqual(["a", "b", "c"]);
		expect(fetched.mock.calls.map(([url]) => url)).toEqual([
			"/v1/classes/k/enrollments?limit=200",
			"/v1/classes/k/enrollments?limit=200&cursor=x%2F1",
			"/v1/classes/k/enrollments?limit=200&cursor=x2",
		]);
	});
	it("are none when a page is missing", async () => {
		serve(answer(200, { items: [{ id: "a" }], nextCursor: "x" }), answer(503, { code: "busy" }));
		expect(await failure(apiAll("/v1/classes"))).toMatchObject({ status: 503, code: "busy" });
	});
});

describe("what was left out", () => {
	const path = "/v1/classes";
	const page = (value?: string) =>
		answer(200, { items: [] }, value ? { "Manabiya-Withheld": value } : {});
	it("is told by path, until that is read anew from its beginning", async () => {
		serve(page("second-factor"), page(), page("step-up"), page());
		await api("get", path);
		expect(withheldAt(path)).toBe("second-factor");
		expect(withheldAt("/v1/users")).toBeUndefined();
		await api("get", path, { query: { cursor: "x" } });
		expect(withheldAt(path)).toBe("second-factor");
		await api("get", path, { query: { cursor: "x" } });
		expect(withheldAt(path)).toBe("step-up");
		await api("get", path);
		expect(withheldAt(path)).toBeUndefined();
	});
});

describe("what is dangerous", () => {
	const refusal = {
		status: 403,
		code: "step_up_required",
		title: "パスワードの再入力が必要です。",
	};
	const put = { params: { userId: "u" }, body: { denied: [] }, key: "k" };
	it("asks for the password, and sends the same once more", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		const fetched = serve(answer(403, refusal), answer(200, { denied: [] }));
		await api("put", "/v1/users/{userId}/features", put);
		expect(ask.mock.calls).toEqual([["stepUp"]]);
		expect(sent(fetched, 1)).toEqual(sent(fetched, 0));
	});
	it("stays refused when nobody gives it, and says why", async () => {
		serve(answer(403, refusal));
		const error = await failure(api("put", "/v1/users/{userId}/features", put));
		expect(error).toMatchObject({ code: "step_up_required", title: refusal.title });
	});
	it("asks once, not for ever", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		serve(answer(403, refusal), answer(403, refusal));
		await failure(api("put", "/v1/users/{userId}/features", put));
		expect(ask).toHaveBeenCalledTimes(1);
	});
	it("is nothing that another refusal asks for", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		serve(answer(403, { code: "feature_denied" }));
		await failure(api("put", "/v1/users/{userId}/features", put));
		expect(ask).not.toHaveBeenCalled();
	});
});
