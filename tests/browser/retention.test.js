/* How long things are kept: a contractor sets it, sees what a shorter number would remove, and that it waits. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { named, openBrowser, Person } from "./people.js";
import { closeStack, openStack, sql } from "./stack.js";

const PASSWORD = "ame-nochi-hare-2026";
const RECORDS = "学習記録（動画、コメント、評価、ふりかえり、めあて）";

describe("how long things are kept", () => {
	const faults = [];
	let stack, browser, operator, admin;

	before(async () => {
		stack = openStack();
		browser = await openBrowser();
		operator = await Person.at(browser, stack.address, faults);
		await operator.loginFirst("manabiya", "operator", readFileSync(stack.bootstrapSecret, "utf8").trim(), PASSWORD);
		await operator.menu("契約");
		await operator.button("契約を開設").click();
		await operator.field("契約者名").fill("港市教育委員会");
		await operator.field("学校コード").fill("minato");
		await operator.field("管理者のログインID").fill("kanri");
		await operator.button("開設する").click();
		const secret = await operator.page.locator(".secret-text").first().textContent();
		admin = await Person.at(browser, stack.address, faults);
		await admin.loginFirst("minato", "kanri", secret, PASSWORD);
		await admin.link("保存期間").click();
	});

	after(async () => {
		await admin?.shot("retention-end").catch(() => {});
		await browser?.close();
		if (stack) closeStack(stack);
	});

	const days = () => admin.page.getByRole("group", { name: named(RECORDS) }).getByLabel("ふつう", { exact: true });
	const saved = () => admin.page.getByText(named("保存期間を変更しました")).first().waitFor();

	it("is without end unless somebody says so", async () => {
		assert.equal(await days().inputValue(), "");
		await days().fill("7"); // less than the least
		await admin.button("保存する").click();
		await admin.page.locator(".field.invalid").waitFor();
	});

	it("shows what a number would remove before it is saved, and waits", async () => {
		await days().fill("365");
		await admin.button("保存する").click();
		const dialog = admin.page.getByRole("dialog");
		await dialog.getByText(named("365日にすると", true)).waitFor();
		await admin.shot("retention-confirm");
		await Promise.all([saved(), dialog.getByRole("button", { name: named("保存する") }).click()]); // it goes by itself
		await admin.page.getByText(named("それまでは削除されません。", true)).waitFor();
		await admin.page.getByText(named("30日以内に削除されるもの: 0件")).waitFor();
		assert.equal(await days().inputValue(), "365");
		await admin.shot("retention");
	});

	it("is taken back without a question, and says when the contract is held", async () => {
		await days().fill("");
		await admin.button("保存する").click();
		await admin.page.getByText(named("それまでは削除されません。", true)).waitFor({ state: "detached" });
		assert.equal(sql(stack, "SELECT count(*) FROM provisioning.retention_rule"), "0");
		sql(stack, "UPDATE provisioning.contract SET hold_reason = 'x', hold_since = now() WHERE code = 'minato'");
		await admin.page.reload();
		await admin.page.getByText(named("法的な理由で保全されています。", true)).waitFor();
	});

	it("leaves no fault on any page", () => assert.deepEqual(faults, []));
});
