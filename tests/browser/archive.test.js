/* A school moves here: its archive is sent, checked and taken in by the administrator, and a pupil is in. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, named, openBrowser, Person } from "./people.js";
import { closeStack, openStack, ROOT } from "./stack.js";

const PASSWORD = "ame-nochi-hare-2026";

describe("a school that moves here", () => {
	const faults = [];
	let stack, browser, admin, file, key;

	before(async () => {
		stack = openStack();
		file = join(stack.directory, "school.tar");
		key = execFileSync("/usr/bin/python3", ["-B", join(ROOT, "tests/flow/archives.py"), file], { encoding: "utf8" }).trim();
		browser = await openBrowser();
		const operator = await Person.at(browser, stack.address, faults);
		await operator.loginFirst("manabiya", "operator", readFileSync(stack.bootstrapSecret, "utf8").trim(), PASSWORD);
		await operator.menu("契約");
		await operator.button("契約を開設").click();
		await operator.field("契約者名").fill("うみ市教育委員会");
		await operator.field("学校コード").fill("umi");
		await operator.field("管理者のログインID").fill("hikkoshi");
		await operator.button("開設する").click();
		const secret = await operator.page.locator(".secret-text").first().textContent();
		admin = await Person.at(browser, stack.address, faults);
		await admin.loginFirst("umi", "hikkoshi", secret, PASSWORD);
		await admin.page.goto(new URL("/import", stack.address).href);
		await admin.link("ほかの環境から引っ越すとき").click();
		await admin.page.getByRole("heading", { name: "引っ越し（アーカイブの取り込み）" }).waitFor();
	});

	after(async () => {
		await admin?.shot("archive").catch(() => {});
		await browser?.close();
		if (stack) closeStack(stack);
	});

	const shows = (state) => admin.page.getByRole("heading", { name: state, exact: true }).waitFor();

	it("sends its archive, also when the page reads again meanwhile", async () => {
		const { page } = admin;
		let goOn;
		const isReadAgain = new Promise((resolve) => {
			goOn = resolve;
		});
		await page.route("**/v1/imports/*", async (route) => {
			if (route.request().method() === "PATCH") await isReadAgain;
			await route.continue();
		});
		await page.locator("input[type=file]").setInputFiles(file);
		const begun = page.getByRole("heading", { name: "送信の途中", exact: true });
		await eventually(async () => {
			await page.evaluate(() => window.dispatchEvent(new Event("visibilitychange"))); // somebody comes back to it
			return begun.count();
		}, "the page knows of what it has begun");
		goOn();
		await shows("送信ずみ");
		await page.unrouteAll({ behavior: "wait" });
	});

	it("reads what is in it, and that it is signed", async () => {
		await admin.field("もとの環境の操作記録の検証鍵").fill(key);
		await admin.button("内容を確認する").click();
		await shows("確認ずみ");
		await admin.page.getByText(named("署名：確かめました")).waitFor();
		await admin.page.getByRole("row").filter({ hasText: "試技" }).getByRole("cell", { name: "1", exact: true }).waitFor();
		await admin.shot("archive-checked");
	});

	it("takes it in, and a pupil is in with the secret from the card", async () => {
		await admin.button("この内容を取り込む").click();
		await shows("取り込みました");
		await admin.button("初回パスワードを発行する").click();
		const card = admin.page.locator(".secret-card").filter({ hasText: "磯部" });
		const secret = await card.locator(".secret-text").textContent();
		const pupil = await Person.at(browser, stack.address, faults);
		await pupil.loginFirst("umi", "mai", secret, PASSWORD);
		await pupil.page.getByText("マット").first().waitFor();
	});

	it("leaves no fault on any page", () => assert.deepEqual(faults, []));
});
