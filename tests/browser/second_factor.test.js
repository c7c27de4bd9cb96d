/* Somebody of the staff sets up a second factor on the settings page, and logs in with it from then on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { openBrowser, Person } from "./people.js";
import { closeStack, openStack } from "./stack.js";

const PASSWORD = "ame-nochi-hare-2026";
const faults = [];
let stack;
let browser;
let operator;

/** What an app that knows this secret shows now. */
const codeOf = (secret) =>
	execFileSync("oathtool", ["--totp", "--base32", secret.replaceAll(" ", "")], { encoding: "utf8" }).trim();

before(async () => {
	stack = openStack();
	browser = await openBrowser();
	operator = await Person.at(browser, stack.address, faults);
});

after(async () => {
	await browser?.close();
	if (stack) closeStack(stack);
});

it("is set up on the settings page, and asked for at the next login", async () => {
	const { page } = operator;
	await operator.loginFirst("manabiya", "operator", readFileSync(stack.bootstrapSecret, "utf8").trim(), PASSWORD);
	await page.goto("/settings");
	await operator.button("二段階認証を登録する").click();
	await page.getByRole("img", { name: "認証アプリで読み取るQRコード" }).waitFor();
	const secret = await page.locator("p.secret-text").innerText();
	await operator.shot("second-factor");
	await page.locator("input[name=code]").fill(codeOf(secret));
	await operator.button("登録を終える").click();
	await page.locator("ul.secret-text li").first().waitFor();
	assert.equal(await page.locator("ul.secret-text li").count(), 10);
	const recovery = await page.locator("ul.secret-text li").first().innerText();
	await operator.button("控えたので閉じる").click();
	await page.getByText("使っていない回復コードは10個です。").waitFor();

	await page.context().clearCookies();
	await operator.login("manabiya", "operator", PASSWORD);
	await page.locator("input[name=code]").fill("000000");
	await operator.button("ログイン").click();
	await page.getByText("確認コードが正しくないか").waitFor();
	await operator.shot("second-step");
	await page.locator("input[name=code]").fill(recovery);
	await operator.button("ログイン").click();
	await page.getByRole("navigation", { name: "メインメニュー" }).waitFor();
	await page.goto("/settings");
	await page.getByText("使っていない回復コードは9個です。").waitFor();
	assert.deepEqual(faults, []);
});
