/* What a page does when a part of it cannot be loaded or drawn: it says so, and the rest goes on. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { named, openBrowser, Person } from "./people.js";
import { closeStack, openStack } from "./stack.js";

const PASSWORD = "ame-nochi-hare-2026";
const SCREEN = "**/assets/ContractsPage-*.js";
const CONTRACTS = "**/v1/contracts";

describe("a part of the page that fails", () => {
	const faults = [];
	let stack, browser, operator;

	before(async () => {
		stack = openStack();
		browser = await openBrowser();
		operator = await Person.at(browser, stack.address, faults);
		await operator.loginFirst("manabiya", "operator", readFileSync(stack.bootstrapSecret, "utf8").trim(), PASSWORD);
	});

	after(async () => {
		await operator?.shot("failure-end").catch(() => {});
		await browser?.close();
		if (stack) closeStack(stack);
	});

	const alert = (text) => operator.page.getByRole("alert").getByText(named(text, true)).waitFor();
	const heading = (text) => operator.page.getByRole("heading", { name: named(text) }).waitFor();
	const again = () => operator.button("もういちど読みこむ").click();

	it("is told when the screen cannot be loaded, and the others go on", async () => {
		await operator.page.route(SCREEN, (route) => route.abort());
		await operator.menu("契約");
		await alert("画面を読みこめませんでした。");
		await operator.shot("failure-not-loaded");
		await operator.menu("お知らせ");
		await heading("お知らせ");
	});

	it("is loaded again when the network is back, and not before", async () => {
		await operator.menu("契約");
		await alert("画面を読みこめませんでした。");
		await operator.context.setOffline(true);
		await again();
		await alert("サーバーにつながりません。");
		await operator.context.setOffline(false);
		await operator.page.unroute(SCREEN);
		await again();
		await heading("契約");
	});

	it("is told when what the server says cannot be drawn", async () => {
		await operator.page.route(CONTRACTS, (route) => route.fulfill({ json: { items: [null] } }));
		await operator.page.reload();
		await alert("画面をうまく出せませんでした。");
		await operator.page.unroute(CONTRACTS);
		await again();
		await heading("契約");
	});

	it("leaves no other fault on any page", () => assert.deepEqual(faults, []));
});
