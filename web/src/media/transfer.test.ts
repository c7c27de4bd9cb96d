import { afterEach, describe, expect, it, vi } from "vitest";
import { onPasswordNeeded } from "../api/client";
import { transfer } from "./transfer";

interface Given {
	uploadUrl: string | null;
	onUploadUrlAvailable: () => void;
	onError: (error: Error) => void;
	onSuccess: () => void;
}

/** What becomes of each attempt to send. */
const attempts: ((given: Given) => void)[] = [];
const began: (string | null)[] = [];

vi.mock("tus-js-client", () => ({
	Upload: class {
		url: string;
		constructor(
			_file: Blob,
			readonly given: Given,
		) {
			this.url = given.uploadUrl ?? "/v1/media/m1";
		}
		start() {
			began.push(this.given.uploadUrl);
			this.given.onUploadUrlAvailable();
			attempts.shift()?.(this.given);
		}
		abort = () => Promise.resolve();
	},
}));

function refuse({ onError }: Given): void {
	const originalResponse = { getStatus: () => 401, getBody: () => "", getHeader: () => undefined };
	onError(Object.assign(new Error("refused"), { originalResponse }));
}

const send = (signal = new AbortController().signal) => transfer(new Blob(["film"]), { signal });

vi.stubGlobal("navigator", {});
afterEach(() => {
	attempts.length = 0;
	began.length = 0;
	onPasswordNeeded(() => Promise.resolve(false));
});

describe("an upload that is refused", () => {
	it("goes on where it was with the token that the session has now, and nobody is asked", async () => {
		const ask = vi.fn(() => Promise.resolve(false));
		onPasswordNeeded(ask);
		attempts.push(refuse, ({ onSuccess }) => onSuccess());
		expect(await send()).toBe("m1");
		expect(began).toEqual([null, "/v1/media/m1"]);
		expect(ask).not.toHaveBeenCalled();
	});
	it("asks for the password when the session is over", async () => {
		const ask = vi.fn(() => Promise.resolve(true));
		onPasswordNeeded(ask);
		attempts.push(refuse, refuse, ({ onSuccess }) => onSuccess());
		expect(await send()).toBe("m1");
		expect(ask.mock.calls).toEqual([["login"]]);
	});
	it("does not go on when it was stopped while the password was asked for", async () => {
		const stop = new AbortController();
		onPasswordNeeded(() => {
			stop.abort(new Error("paused"));
			return Promise.resolve(true);
		});
		attempts.push(refuse, refuse);
		await expect(send(stop.signal)).rejects.toThrow("paused");
		expect(began).toHaveLength(2);
	});
});
