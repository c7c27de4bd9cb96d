/*
 * The one door to the API: a typed fetch. Errors come out as ApiError, never as a Response.
 * A session that ended, or a password that was proven too long ago for what is dangerous, asks for the
 * password over the open page and then tries once more, so no form is lost. What was refused only
 * because the session has another token by now is sent again without asking.
 */
import { language } from "../i18n/language";
import type { Answer, Body, Item, Method, Params, PathWith, Query } from "./types";

export interface FieldError {
	pointer: string;
	detail: string;
}

interface Problem {
	code?: string;
	title?: string;
	detail?: string;
	errors?: FieldError[];
	traceId?: string;
}

/** `status` 0 means that no answer came at all. */
export class ApiError extends Error {
	readonly code: string;
	readonly title: string;
	readonly detail: string | undefined;
	readonly errors: FieldError[];
	readonly traceId: string | undefined;

	constructor(
		readonly status: number,
		problem: Problem = {},
		readonly retryAfterSeconds?: number,
	) {
		super(problem.title ?? problem.code ?? `HTTP ${status}`);
		this.code = problem.code ?? (status === 0 ? "network" : `http_${status}`);
		this.title = problem.title ?? "";
		this.detail = problem.detail;
		this.errors = problem.errors ?? [];
		this.traceId = problem.traceId;
	}

	/** Worth sending the same thing again later. */
	get isTemporary(): boolean {
		return [0, 423, 429].includes(this.status) || this.status >= 500;
	}
}

export interface Options<M extends Method, P extends PathWith<M>> {
	params?: Params<M, P>;
	query?: Query<M, P>;
	body?: Body<M, P>;
	/** A body that is not JSON. */
	raw?: { type: string; data: Blob };
	/** What else the operation wants of its own. */
	headers?: Record<string, string>;
	/** Idempotency-Key: the same for every repetition of one wish. */
	key?: string;
	ifMatch?: string;
	signal?: AbortSignal;
	/**
	 * Do not ask for the password when the answer wants it, and do not send again: so no other tab may
	 * change the cookie meanwhile, or a page that begins would show the login to whoever is in.
	 */
	quiet?: boolean;
}

/** Why the password is wanted: the session is over, or this must be the person and nobody else. */
export type Reason = "login" | "stepUp";

let askForPassword: ((reason: Reason) => Promise<boolean>) | undefined;

/** The session module says how to ask for the password; it resolves to false when refused. */
export function onPasswordNeeded(ask: (reason: Reason) => Promise<boolean>): void {
	askForPassword = ask;
}

/** What changes the cookie that all tabs share: the token of the session, or that there is one. */
export const COOKIE_CHANGES = [
	"post /v1/sessions",
	"post /v1/sessions/second-factor",
	"delete /v1/session",
	"post /v1/session/step-up",
	"put /v1/second-factor",
	"put /v1/password",
];

/** In whatever tab: one change of the cookie at a time, and none while somebody shares it. */
async function holdCookie<T>(mode: LockMode, work: () => Promise<T>): Promise<T> {
	if (!navigator.locks) return work(); // an old browser: the password may be asked for in vain
	return navigator.locks.request("manabiya-cookie", { mode }, work);
}

/**
 * A new token ends the one before, with which a request may have been on its way: it was refused, so
 * nothing was done, though the session lives. This waits until the cookie is the newest.
 */
async function awaitCookie({ status }: ApiError): Promise<boolean> {
	if (status === 401) await holdCookie("shared", async () => {});
	return status === 401;
}

/** True when the person has given the password that this error wants: it can be sent once more. */
export async function provePassword(error: ApiError): Promise<boolean> {
	const reason =
		error.status === 401 ? "login" : error.code === "step_up_required" ? "stepUp" : undefined;
	return reason && askForPassword ? askForPassword(reason) : false;
}

/** Retry-After as seconds: a number, or a date. */
export function retryAfter(value: string | null, now = Date.now()): number | undefined {
	if (!value) return undefined;
	const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
	return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

export function address(path: string, params: object = {}, query: object = {}): string {
	const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
		encodeURIComponent(String((params as Record<string, unknown>)[name])),
	);
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) {
		if (value !== undefined && value !== "") search.set(name, String(value));
	}
	return search.size > 0 ? `${filled}?${search}` : filled;
}

/** Makes the error of an answer that is not a success. */
export function problemOf(status: number, body: string, after: string | null): ApiError {
	try {
		return new ApiError(status, JSON.parse(body) as Problem, retryAfter(after));
	} catch {
		return new ApiError(status, {}, retryAfter(after));
	}
}

/** What a person has to prove to be shown more. */
export type Proof = "second-factor" | "step-up";

const withheld = new Map<string, Proof>();

/** What the last answer from this path said would show more. */
export function withheldAt(path: string): Proof | undefined {
	return withheld.get(path);
}

function noteWithheld(url: string, value: string | null): void {
	const [path = "", query = ""] = url.split("?");
	if (value) withheld.set(path, value as Proof);
	else if (!query.includes("cursor=")) withheld.delete(path); // a later page says nothing of the first
}

function request(method: Method, options: Options<Method, never>): RequestInit {
	const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
	headers["Accept-Language"] = language();
	if (options.key) headers["Idempotency-Key"] = options.key;
	if (options.ifMatch) headers["If-Match"] = options.ifMatch;
	let body: BodyInit | undefined;
	if (options.raw) {
		headers["Content-Type"] = options.raw.type;
		body = options.raw.data;
	} else if (options.body !== undefined) {
		headers["Content-Type"] = "application/json";
		body = JSON.stringify(options.body);
	}
	return { method: method.toUpperCase(), headers, body, signal: options.signal };
}

export interface Tagged<B> {
	body: B;
	/** The version of what was read, for If-Match. */
	etag: string | undefined;
}

async function exchange<T>(
	url: string,
	init: RequestInit,
	read: (answer: Response) => Promise<T>,
): Promise<T> {
	let answer: Response;
	let text: string;
	try {
		answer = await fetch(url, init);
		if (answer.ok) return await read(answer);
		text = await answer.text();
	} catch (e) {
		if (init.signal?.aborted) throw e;
		throw new ApiError(0);
	}
	throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
}

type Remedy = (error: ApiError) => Promise<boolean>;

async function sendAgain<T>(send: () => Promise<T>, remedy: Remedy): Promise<T> {
	try {
		return await send();
	} catch (e) {
		if (!(e instanceof ApiError) || !(await remedy(e))) throw e;
	}
	return send();
}

/** Sends with the newest token, and once more when the password that the answer wants was given. */
export function sendProven<T>(send: () => Promise<T>): Promise<T> {
	return sendAgain(() => sendAgain(send, awaitCookie), provePassword);
}

export async function apiTagged<M extends Method, P extends PathWith<M>>(
	method: M,
	path: P,
	options: Options<M, P> = {},
): Promise<Tagged<Answer<M, P>>> {
	const url = address(path, options.params as object, options.query as object);
	const init = request(method, options as unknown as Options<Method, never>);
	const read = async (answer: Response) => [answer.headers, await answer.text()] as const;
	const once = () => exchange(url, init, read);
	const isChange = COOKIE_CHANGES.includes(`${method} ${path}`);
	const mode = isChange ? "exclusive" : options.quiet ? "shared" : undefined;
	const send = mode ? () => holdCookie(mode, once) : once;
	const [headers, text] = await (options.quiet ? send() : sendProven(send));
	if (method === "get") noteWithheld(url, headers.get("Manabiya-Withheld"));
	const body = (text ? JSON.parse(text) : undefined) as Answer<M, P>;
	return { body, etag: headers.get("ETag") ?? undefined };
}

/** What is not JSON, as a file: the browser may keep it on disk. */
export function apiFile(path: string, more: HeadersInit = {}): Promise<Blob> {
	const headers = { "Accept-Language": language(), ...more };
	return sendProven(() => exchange(path, { headers }, (answer) => answer.blob()));
}

export async function api<M extends Method, P extends PathWith<M>>(
	method: M,
	path: P,
	options: Options<M, P> = {},
): Promise<Answer<M, P>> {
	return (await apiTagged(method, path, options)).body;
}

const PAGE_MAX = 200; // what the API gives at most at once

/** A whole list, page after page, for what is only of use when it is complete. */
export async function apiAll<P extends PathWith<"get">>(
	path: P,
	options: Options<"get", P> = {},
): Promise<Item<P>[]> {
	const items: Item<P>[] = [];
	let cursor: string | undefined;
	do {
		const query = { ...(options.query as object), limit: PAGE_MAX, cursor } as Query<"get", P>;
		const page = (await api("get", path, { ...options, query })) as {
			items: Item<P>[];
			nextCursor?: string;
		};
		items.push(...page.items);
		cursor = page.nextCursor;
	} while (cursor);
	return items;
}
