/* One person at one browser: pages found by what a person reads on them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { OUTPUT } from "./stack.js";

const FLAGS = [
	"--use-fake-device-for-media-stream",
	"--use-fake-ui-for-media-stream",
	"--autoplay-policy=no-user-gesture-required",
	"--disable-quic",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--no-first-run",
];
export const PATIENCE_MS = 120_000; // a sanitizer build on a machine that others use; all waiting ends with what is waited for

/** A name as it is read: a reading above a word (ruby) leaves white space around it in the name. `part` matches within. */
export function named(text, part = false) {
	const letters = [...text].filter((c) => c.trim()).map((c) => c.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
	const pattern = letters.join("\\s*");
	return new RegExp(part ? pattern : `^\\s*${pattern}\\s*$`);
}

export async function openBrowser() {
	const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
	return chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...sandbox], timeout: PATIENCE_MS });
}

/** Wait for something that no element shows. */
export async function eventually(look, what) {
	for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
		const found = await look();
		if (found) return found;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	throw new Error(`not in time: ${what}`);
}

export class Person {
	/** `faults` collects what no page may do: script errors and answers from 500 up. */
	static async at(browser, address, faults) {
		const context = await browser.newContext({
			baseURL: address,
			ignoreHTTPSErrors: true, // the stack's own certificate authority
			locale: "ja-JP",
			timezoneId: "Asia/Tokyo",
			permissions: ["camera"],
			viewport: { width: 1280, height: 900 },
		});
		context.setDefaultTimeout(PATIENCE_MS);
		const person = new Person();
		person.origin = address;
		person.context = context;
		person.page = await context.newPage();
		person.page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
		person.page.on("console", (line) => {
			if (/Content Security Policy|TrustedHTML|TrustedScript/.test(line.text())) faults.push(line.text());
		});
		person.page.on("response", (answer) => {
			if (answer.status() >= 500) faults.push(`${answer.status()} ${answer.url()}`);
		});
		return person;
	}

	button(name) {
		return this.page.getByRole("button", { name: named(name) });
	}

	link(name) {
		return this.page.getByRole("link", { name: named(name, true) });
	}

	field(name) {
		return this.page.getByRole("textbox", { name: named(name, true) });
	}

	video(name) {
		return this.page.locator("video").and(this.page.getByLabel(name, { exact: true })).first();
	}

	async login(tenantCode, username, password) {
		await this.page.goto("/");
		await this.field("学校コード").fill(tenantCode);
		await this.field("ログインID").fill(username);
		await this.page.locator("input[name=password]").fill(password);
		await this.button("ログイン").click();
	}

	/** With the one-time secret: an own password must be set before anything else. */
	async loginFirst(tenantCode, username, secret, password) {
		await this.login(tenantCode, username, secret);
		await this.firstPassword(secret, password);
		await this.page.getByRole("navigation", { name: "メインメニュー" }).waitFor();
	}

	async firstPassword(secret, password) {
		await this.page.getByRole("heading", { name: named("新しいパスワードをきめる") }).waitFor();
		await this.page.locator("input[name=currentPassword]").fill(secret);
		await this.page.locator("input[name=newPassword]").fill(password);
		await this.page.locator("input[name=repeated]").fill(password);
		await this.button("パスワードをかえる").click();
	}

	/**
	 * The password once more: what is dangerous wants it within five minutes, and a slow machine takes longer for
	 * what came before. As another tab would prove it: what this one asks meanwhile with the token from before is
	 * refused, waits for the lock, and is sent again.
	 */
	async prove(password) {
		const status = await this.page.evaluate(
			(body) =>
				navigator.locks.request("manabiya-cookie", async () => {
					const headers = { "Content-Type": "application/json" };
					return (await fetch("/v1/session/step-up", { method: "POST", headers, body })).status;
				}),
			JSON.stringify({ password }),
		);
		if (status >= 400) throw new Error(`not proven: ${status}`);
	}

	async menu(name) {
		const menu = this.page.getByRole("navigation", { name: "メインメニュー" });
		await menu.getByRole("link", { name: named(name) }).first().click();
	}

	async shot(name) {
		mkdirSync(OUTPUT, { recursive: true });
		await this.page.screenshot({ path: join(OUTPUT, `${name}.png`), fullPage: true });
	}
}
