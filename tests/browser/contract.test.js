/* The end of a contract at the operator's desk: suspended, held, closed, purged, certified. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { eventually, named, openBrowser, Person } from "./people.js";
import { closeStack, openStack, sql, verifyDownload } from "./stack.js";

const PASSWORD = "ame-nochi-hare-2026";

describe("the end of a contract", () => {
	const faults = [];
	let stack, browser, operator, secret;

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
		secret = await operator.page.locator(".secret-text").first().textContent();
		await operator.page.getByRole("cell", { name: "minato", exact: true }).waitFor();
		await operator.link("港市教育委員会").click();
		await shows("利用中");
	});

	after(async () => {
		await operator?.shot("contract").catch(() => {});
		await browser?.close();
		if (stack) closeStack(stack);
	});

	const shows = (state) => operator.page.locator(".page-side").getByText(named(state)).waitFor();

	/** Press the action, say why in the dialog, and confirm. */
	async function act(action, typed) {
		await operator.button(action).click();
		const dialog = operator.page.getByRole("dialog");
		await dialog.getByRole("textbox", { name: named("理由") }).fill("契約期間の満了");
		const confirm = dialog.getByRole("button", { name: named(action) });
		if (typed) {
			assert.equal(await confirm.isDisabled(), true);
			await dialog.getByRole("textbox", { name: named("確認のため、学校コードを入力してください") }).fill(typed);
		}
		await confirm.click();
		await dialog.waitFor({ state: "detached" });
	}

	/** The page's next DELETE comes to the server so late that its session has another token since. Gives the answers. */
	async function lateDelete(who) {
		const answers = [];
		const old = (await who.context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
		await who.prove(PASSWORD);
		await who.page.route("**/v1/users/*", async (route) => {
			const request = route.request();
			if (request.method() !== "DELETE") return route.continue();
			const headers = await request.allHeaders();
			const response = await route.fetch({ headers: answers.length === 0 ? { ...headers, cookie: old } : headers });
			answers.push(response.status());
			return route.fulfill({ response });
		});
		return answers;
	}

	it("loses a user whose time of grace is over, with a certificate", async () => {
		const admin = await Person.at(browser, stack.address, faults);
		await admin.loginFirst("minato", "kanri", secret, PASSWORD);
		await admin.menu("利用者");
		await admin.button("利用者を追加").click();
		const person = { username: "tabi", familyName: "旅", givenName: "立子", kanaFamilyName: "たび", kanaGivenName: "たつこ" };
		for (const [name, value] of Object.entries(person)) await admin.page.locator(`[name=${name}]`).fill(value);
		await admin.button("追加する").click();
		await admin.link("旅 立子").click();
		const end = async (button, confirm) => {
			await admin.button(button).click();
			const dialog = admin.page.getByRole("dialog");
			await dialog.getByRole("textbox").fill("tabi");
			await dialog.getByRole("button", { name: named(confirm) }).click();
			await dialog.waitFor({ state: "detached" });
		};
		const shown = (status) => admin.page.locator(".page-side").getByText(named(status)).waitFor();
		const answers = await lateDelete(admin);
		await end("利用者を削除", "削除する");
		await shown("削除待ち");
		assert.deepEqual(answers, [401, 204]);
		await admin.shot("user-deleted");
		await admin.button("復活させる").click();
		await shown("利用中");
		await end("利用者を削除", "削除する");
		await shown("削除待ち");
		await end("すぐに消去する", "消去する");
		await eventually(() => sql(stack, "SELECT count(certificate) FROM provisioning.user_erasure") === "1", "the certificate");
		await admin.page.reload();
		const [download] = await Promise.all([admin.page.waitForEvent("download"), admin.link("削除証明書").click()]);
		assert.match(download.suggestedFilename(), /^certificate-[0-9a-f-]{36}\.txt$/);
		await admin.shot("erasures");
		const { keys } = await (await admin.page.request.get("/v1/audit/log/key")).json();
		assert.match(verifyDownload(keys[0], await download.path(), "certificate"), /^GOOD: /);
		await admin.context.close();
	});

	it("has a key, whose age and use are seen", async () => {
		await operator.menu("ホーム");
		await operator.link("暗号と鍵").click();
		const keys = operator.page.getByRole("region", { name: "契約ごとの鍵" });
		await keys.getByText("使用中").first().waitFor();
		await operator.page.getByRole("rowheader", { name: "児童生徒のパスワード" }).waitFor();
		await operator.menu("契約");
		await operator.link("港市教育委員会").click();
		await shows("利用中");
	});

	it("is suspended and restored", async () => {
		await operator.prove(PASSWORD);
		await act("停止する");
		await shows("停止中");
		await act("再開する");
		await shows("利用中");
	});

	it("is closed once its code was typed, and held", async () => {
		await operator.prove(PASSWORD);
		await act("契約を終了する", "minato");
		await shows("終了（データの引き渡し中）");
		await act("法的保全を設定する");
		await operator.page.getByText(named("法的保全のため止まっています")).waitFor();
		await operator.shot("contract-held");
		await act("法的保全を解除する");
		await operator.page.getByText(named("次の段階に進む日時")).waitFor();
	});

	it("lets its administrator in for the export alone", async () => {
		// A session that began before auth knew would be an ordinary one, which sees nothing any more.
		await eventually(() => sql(stack, "SELECT is_closed FROM auth.tenant WHERE code = 'minato'") === "t", "auth knows of the end");
		const admin = await Person.at(browser, stack.address, faults);
		await admin.login("minato", "kanri", PASSWORD);
		await admin.page.getByText(named("この契約は終了しました。", true)).waitFor();
		await admin.page.getByText(named("以降に削除されます。", true)).waitFor();
		assert.equal(await admin.page.getByRole("navigation").count(), 0);
		await admin.button("書き出しを始める").click();
		await admin.page.getByRole("heading", { name: named("書き出しました") }).waitFor();
		const [download] = await Promise.all([
			admin.page.waitForEvent("download"),
			admin.button("ファイルを受け取る").click(),
		]);
		assert.match(download.suggestedFilename(), /^manabiya-.*\.tar$/);
		await admin.shot("contract-closed");
		await admin.button("ログアウト").click();
		await admin.field("学校コード").waitFor();
		await admin.context.close();
	});

	it("is purged when its time has come, and certified", async () => {
		sql(stack, "UPDATE provisioning.contract SET state = 'grace', due_at = now() WHERE code = 'minato'");
		await operator.menu("契約");
		await operator.page.getByRole("cell", { name: named("削除済み") }).or(operator.page.getByRole("cell", { name: named("削除中") }))
			.or(operator.page.getByRole("cell", { name: named("削除までの猶予期間") })).first().waitFor();
		await operator.link("港市教育委員会").click();
		await eventually(() => sql(stack, "SELECT count(certificate) FROM provisioning.contract") === "1", "the certificate");
		await operator.page.reload();
		await shows("削除済み");
		await operator.page.getByRole("row").filter({ hasText: "auth.account" }).getByRole("cell", { name: "2", exact: true }).waitFor();
		const [download] = await Promise.all([
			operator.page.waitForEvent("download"),
			operator.link("削除証明書をダウンロード").click(),
		]);
		assert.equal(download.suggestedFilename(), "certificate-minato.txt");
		const { keys } = await (await operator.page.request.get("/v1/audit/log/key")).json();
		assert.match(verifyDownload(keys[0], await download.path(), "certificate"), /^GOOD: /);
	});

	it("leaves no fault on any page", () => assert.deepEqual(faults, []));
});
