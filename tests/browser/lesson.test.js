/*
 * The main job, as people do it: an operator opens a contract, an administrator imports a class, a teacher gives a lesson, a pupil
 * records a try on a connection that breaks, the teacher answers at a moment of the video, the pupil reflects, and the
 * administrator reads the whole story. The scenes follow one another in one stack.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it as test } from "node:test";
import { eventually, named, openBrowser, Person } from "./people.js";
import { Relay } from "./relay.js";
import { closeStack, mails, makeClip, openStack, verifyDownload } from "./stack.js";

const STAFF_PASSWORD = "ame-nochi-hare-2026";
const PUPIL_PASSWORD = "mattoundou";
const ROSTER = `username,role,familyName,givenName,kanaFamilyName,kanaGivenName,grade,school,class
sensei,instructor,山田,陽子,やまだ,ようこ,,港小学校,3年1組
jido1,student,青木,はると,あおき,はると,P3,港小学校,3年1組
jido2,student,石井,さくら,いしい,さくら,P3,港小学校,3年1組
`;
const MOMENT_MS = 2400;
const SLOW_BYTES_S = 15_000; // slow enough to cut a few seconds of video in the middle
const CUT_AT_BYTES = 40_000;

let stack;
let relay;
let school; // one browser at the desks…
let gym; // …and another, with a camera, where the pupil is
const faults = [];
let broken; // the first scene that failed: those after it cannot be played

function it(name, scene) {
	test(name, async () => {
		if (broken) assert.fail(`not played, because this failed: ${broken}`);
		broken = name;
		await scene();
		broken = undefined;
	});
}

const person = () => Person.at(school, stack.address, faults);

async function openContract(operator, name, code) {
	await operator.menu("契約");
	await operator.button("契約を開設").click();
	await operator.field("契約者名").fill(name);
	await operator.field("学校コード").fill(code);
	await operator.field("管理者のログインID").fill("kanri");
	await operator.button("開設する").click();
	await operator.page.getByRole("cell", { name: code, exact: true }).waitFor();
	return secretOf(operator, code);
}

/** From the card that names the user or the contract. */
async function secretOf(who, name) {
	const card = who.page.locator(".secret-card", { hasText: name });
	return card.locator(".secret-text").innerText();
}

async function choose(page, name, path) {
	await page.locator("label", { hasText: name }).locator("input[type=file]").setInputFiles(path);
}

/** The choice of a class on the open page. */
function classOf(who) {
	const chosen = who.page.getByRole("combobox", { name: "大切さ" });
	const isSaved = async (value) => (await chosen.inputValue()) === value && (await who.button("変更する").count()) === 0;
	return { chosen, saved: (value) => eventually(() => isSaved(value), `the class ${value} is saved`) };
}

describe("a PE lesson", () => {
	let operator, administrator, neighbour, teacher, pupil, classmate;
	const secrets = {};

	before(async () => {
		stack = openStack();
		relay = await Relay.before(stack.address);
		[school, gym] = await Promise.all([openBrowser(), openBrowser()]);
		[operator, administrator, neighbour, teacher, classmate, pupil] = await Promise.all([
			person(),
			person(),
			person(),
			person(),
			person(),
			Person.at(gym, relay.address, faults),
		]);
	});

	after(async () => {
		const people = { operator, administrator, neighbour, teacher, pupil, classmate };
		for (const [name, who] of Object.entries(people)) await who?.shot(name).catch(() => {});
		await Promise.all([school?.close(), gym?.close()]);
		relay?.close();
		if (stack) closeStack(stack);
	});

	it("the operator opens two contracts", async () => {
		const secret = readFileSync(stack.bootstrapSecret, "utf8").trim();
		await operator.loginFirst("manabiya", "operator", secret, STAFF_PASSWORD);
		secrets.minato = await openContract(operator, "港市教育委員会", "minato");
		secrets.tonari = await openContract(operator, "隣町教育委員会", "tonari");
	});

	it("the operator announces to everyone", async () => {
		await operator.menu("お知らせ");
		await operator.button("お知らせを書く").click();
		await operator.field("件名").fill("点検のお知らせ");
		await operator.field("本文").fill("日曜日の夜に点検をします。");
		await operator.button("お知らせする").click();
		await operator.page.getByText("点検のお知らせ").first().waitFor();
	});

	it("the administrator must change the one-time secret", async () => {
		await administrator.loginFirst("minato", "kanri", secrets.minato, STAFF_PASSWORD);
		await neighbour.loginFirst("tonari", "kanri", secrets.tonari, STAFF_PASSWORD);
		await administrator.page.getByText("点検のお知らせ").first().waitFor();
	});

	it("a file with a bad row is not applied, and says which cell is wrong", async () => {
		const path = join(stack.directory, "bad.csv");
		writeFileSync(path, ROSTER.replace("jido2,student", "jido2,kocho"));
		await administrator.menu("CSV取込");
		await choose(administrator.page, "CSVファイルを選ぶ", path);
		const row = administrator.page.getByRole("row").filter({ hasText: "role" });
		await row.getByRole("cell", { name: "4", exact: true }).waitFor();
	});

	it("the administrator imports a class after a dry run", async () => {
		const path = join(stack.directory, "class.csv");
		writeFileSync(path, ROSTER);
		await choose(administrator.page, "CSVファイルを選ぶ", path);
		await administrator.page.getByText("誤りはありません").waitFor();
		await administrator.button("この内容で登録する").click();
		secrets.sensei = await secretOf(administrator, "sensei");
		secrets.jido1 = await secretOf(administrator, "jido1");
		secrets.jido2 = await secretOf(administrator, "jido2");
	});

	it("the teacher makes a unit with a model video and assigns it", async () => {
		await teacher.loginFirst("minato", "sensei", secrets.sensei, STAFF_PASSWORD);
		await teacher.menu("技");
		await teacher.button("技を追加").click();
		await teacher.field("技の名前").fill("前転");
		await teacher.field("学習指導要領コード").fill("82G02C3211000000");
		await teacher.button("技を登録").click();
		await teacher.page.getByText("前転", { exact: true }).waitFor();
		await teacher.menu("単元");
		await teacher.link("単元をつくる").first().click();
		await teacher.field("単元名").fill("マット運動");
		await teacher.page.getByText("前転", { exact: true }).click();
		await teacher.button("単元を保存").click();
		const clip = makeClip(join(stack.directory, "model.mp4"), 4);
		await choose(teacher.page, "お手本の動画を選ぶ", clip);
		await teacher.video("前転のお手本").waitFor();
		await teacher.page.getByRole("combobox", { name: "クラス" }).selectOption({ label: "港小学校 3年1組" });
		await teacher.button("クラスに出す").click();
		await teacher.page.getByText("青木").first().waitFor();
		await teacher.page.evaluate(() => {
			window.notReloaded = true;
		});
	});

	it("the pupil writes goal and condition, and the board shows it without a reload", async () => {
		await pupil.loginFirst("minato", "jido1", secrets.jido1, PUPIL_PASSWORD);
		await pupil.link("マット運動").first().click();
		await pupil.field("今日のめあて").fill("ひざをのばしてまわる");
		await pupil.page.getByText("とてもよい", { exact: true }).click();
		await pupil.button("めあてをきめる").click();
		await teacher.page.getByText("ひざをのばしてまわる").waitFor();
	});

	it("the pupil watches the model and records a try with the camera", async () => {
		await pupil.link("前転").first().click();
		const model = pupil.video("お手本");
		await model.evaluate((video) => video.play());
		await eventually(() => model.evaluate((video) => video.currentTime > 0.3), "the model plays");
		await pupil.button("カメラでとる").click();
		await pupil.button("とりはじめる").click();
		await pupil.page.getByText(/録画中\s*0:(0[4-9]|[1-5]\d)/).waitFor(); // by the page's own clock: the camera runs in real time
		await pupil.button("とめる").click();
		await pupil.button("先生におくる").waitFor();
	});

	it("the upload is cut once and goes on where it stopped", async () => {
		const offsets = [];
		pupil.page.on("request", (request) => {
			if (request.method() === "PATCH") offsets.push(Number(request.headers()["upload-offset"]));
		});
		relay.bytesPerSecond = SLOW_BYTES_S;
		await pupil.button("先生におくる").click();
		await eventually(() => offsets.length === 1, "the upload begins");
		const before = relay.bytes;
		await eventually(() => relay.bytes - before > CUT_AT_BYTES && relay.isRead(), "part of it is at the other end");
		relay.cut();
		await pupil.page.getByText("つながるのをまっています").waitFor();
		relay.mend();
		await pupil.page.getByText(/るのをまっています$/).first().waitFor();
		assert.ok(offsets.length >= 2, `pieces sent from: ${offsets}`);
		assert.ok(offsets.at(-1) > 0, `it went on instead of beginning again: ${offsets}`);
	});

	it("the teacher's board shows the try without a reload", async () => {
		const cell = teacher.page.getByRole("listitem").filter({ hasText: "青木" });
		await cell.getByText("確認待ち").waitFor();
		assert.equal(await teacher.page.evaluate(() => window.notReloaded), true);
		await teacher.shot("board");
	});

	it("the teacher comments at 00:02.4 and evaluates", async () => {
		await teacher.page.getByRole("link").filter({ hasText: "青木" }).click();
		const video = teacher.video("児童生徒の動画");
		// The page seeks by itself until it knows the length; what is sought before that is lost.
		const isSought = (v, s) => {
			if (v.readyState < 2 || v.seeking || !Number.isFinite(v.duration)) return false;
			if (v.paused && Math.abs(v.currentTime - s) < 0.05) return true;
			v.pause();
			v.currentTime = s;
			return false;
		};
		const comment = teacher.button("0:02.4 にコメントする");
		await eventually(async () => (await video.evaluate(isSought, MOMENT_MS / 1000)) && (await comment.count()), "the moment is shown");
		await teacher.field("コメント").fill("ここでひざがきれいにのびています。");
		await comment.click();
		await teacher.page.getByText("ここでひざがきれいにのびています。").first().waitFor();
		for (const [viewpoint, grade] of [["知識・技能", "A"], ["思考・判断・表現", "B"], ["主体的に学習に取り組む態度", "A"]])
			await teacher.page.getByRole("group", { name: viewpoint }).getByText(grade, { exact: true }).click();
		await Promise.all([
			teacher.page.getByText("評価を保存しました。").waitFor(), // from now on: it goes by itself
			teacher.button("評価を保存").click(),
		]);
		await teacher.shot("review");
	});

	it("the pupil hears of it at once, and the comment opens the video at its moment", async () => {
		await pupil.page.getByRole("link", { name: named("通知（未読", true) }).first().click();
		await pupil.link("先生がコメントをつけました").first().click();
		const own = pupil.video("自分の動き");
		await eventually(
			() => own.evaluate((video, s) => Math.abs(video.currentTime - s) < 0.1, MOMENT_MS / 1000),
			"the video stands at the comment",
		);
		await pupil.page.getByText("ここでひざがきれいにのびています。").first().waitFor();
		await pupil.shot("try");
	});

	it("the pupil reflects", async () => {
		await pupil.page.getByText("できた", { exact: true }).click();
		await pupil.field("気づいたこと").fill("ふわっとまわれた");
		await pupil.button("ふりかえりをのこす").click();
		await pupil.page.getByText("ふわっとまわれた").waitFor();
		await pupil.button("ふりかえりをかえる").waitFor();
	});

	it("the teacher shows the video to the class, and a classmate's page shows it without a reload", async () => {
		await classmate.loginFirst("minato", "jido2", secrets.jido2, PUPIL_PASSWORD);
		await classmate.menu("きろく");
		await classmate.page.getByText("はありません。").first().waitFor();
		await teacher.page.getByText("クラスのみんなに見せる", { exact: true }).click();
		await classmate.page.getByRole("link").filter({ hasText: "青木" }).first().click();
		await classmate.page.locator("video").first().waitFor();
	});

	it("the teacher raises the class of the video, and says why it may be lower again", async () => {
		await teacher.prove(STAFF_PASSWORD); // the class that it is raised to wants it
		const { chosen, saved } = classOf(teacher);
		await chosen.selectOption("II");
		await teacher.button("変更する").click();
		await saved("II");
		// Without a reload; the comments and the video are read again one after the other, in any order.
		await classmate.page.locator("video").first().waitFor({ state: "detached" });
		await classmate.page.getByRole("alert").waitFor();
		assert.equal(await classmate.page.locator("video").count(), 0);
		assert.doesNotMatch(await classmate.page.locator("main").innerText(), /ひざがきれいに/);
		await chosen.selectOption("III");
		await teacher.page.getByRole("combobox", { name: "下げる理由" }).selectOption("raised_by_mistake");
		await teacher.shot("label");
		await teacher.button("変更する").click();
		await saved("III");
		await classmate.page.locator("video").first().waitFor();
	});

	it("the administrator raises the class of a pupil, of whom the classmate's page then shows nothing", async () => {
		await administrator.menu("利用者");
		await administrator.link("青木 はると").first().click();
		const { chosen, saved } = classOf(administrator);
		await chosen.selectOption("II");
		await administrator.shot("user-label");
		await administrator.button("変更する").click();
		await saved("II");
		await classmate.page.locator("video").first().waitFor({ state: "detached" });
		await classmate.page.goto("/tries");
		await classmate.page.getByText("はありません。").first().waitFor();
		assert.doesNotMatch(await classmate.page.locator("main").innerText(), /青木/);
		await administrator.page.reload();
		await saved("II");
		await chosen.selectOption("III");
		await administrator.page.getByRole("combobox", { name: "下げる理由" }).selectOption("no_longer_sensitive");
		await administrator.button("変更する").click();
		await saved("III");
		await classmate.page.getByRole("link").filter({ hasText: "青木" }).first().waitFor();
	});

	it("the administrator raises the class of a school class, and says why it may be lower again", async () => {
		const { page } = administrator;
		const { chosen, saved } = classOf(administrator);
		await administrator.menu("クラス");
		await administrator.link("3年1組").click();
		await chosen.selectOption("II");
		await administrator.button("変更する").click();
		await saved("II");
		await page.reload();
		await saved("II");
		await chosen.selectOption("IV");
		await page.getByRole("combobox", { name: "下げる理由" }).selectOption("consent_given");
		await administrator.shot("class-label");
		await administrator.button("変更する").click();
		await saved("IV");
	});

	it("who would see more with two factors is told so, and where to set them up", async () => {
		const { page } = teacher;
		const lists = "**/v1/home";
		const line = page.getByRole("complementary", { name: "見せる相手" });
		await page.route(lists, async (route) => {
			const response = await route.fetch();
			await route.fulfill({ response, headers: { ...response.headers(), "manabiya-withheld": "second-factor" } });
		});
		await page.goto("/");
		await line.waitFor();
		await teacher.shot("withheld");
		await line.getByRole("link", { name: named("二段階認証の設定へ") }).click();
		await page.getByRole("heading", { name: named("二段階認証") }).waitFor();
		await line.waitFor({ state: "detached" });
		await page.unrouteAll({ behavior: "wait" });
	});

	it("the administrator reads the whole story, and the neighbour none of it", async () => {
		/** Of the one kind, however many others there are; what is rare may stand behind empty pages. */
		const found = async (who, search) => {
			const items = [];
			for (let query = `?${search}`; query; ) {
				const answer = await who.context.request.get(`/v1/audit/events${query}`);
				assert.equal(answer.status(), 200);
				const page = await answer.json();
				items.push(...page.items);
				query = page.nextCursor && `?${search}&cursor=${encodeURIComponent(page.nextCursor)}`;
			}
			return items;
		};
		const story = ["provisioning.user_import", ...["unit_create", "goal_put", "try_submit", "comment_create", "evaluation_put", "reflection_put"].map((name) => `learning.${name}`)];
		for (const name of story)
			await eventually(async () => (await found(administrator, `operation=${name}`)).length > 0, `${name} in the log`);
		await administrator.menu("監査ログ");
		await administrator.page.getByLabel("操作", { exact: true }).selectOption("learning.reflection_put");
		await administrator.button("検索").click();
		await administrator.page.getByRole("listitem").filter({ hasText: "ふりかえりの記入" }).first().waitFor();
		await administrator.menu("監査ログ"); // all of it again
		await administrator.page.waitForURL(({ search }) => !search);
		await administrator.page.getByText("ダウンロードと検証").click();
		await administrator.shot("audit");
		for (const name of ["全記録（検証用）", "全記録（CSV・検証用）", "検索結果（検証用）", "検索結果（CSV・検証用）"]) {
			const [download] = await Promise.all([
				administrator.page.waitForEvent("download"),
				administrator.page.getByRole("button", { name }).click(),
			]);
			const { keys } = await (await administrator.context.request.get("/v1/audit/log/key")).json();
			assert.match(verifyDownload(keys[0], await download.path()), /^GOOD: /);
		}
		const told = (event) => event.line.includes("/v1/audit/events");
		await eventually(async () => (await found(administrator, "kind=access")).some(told), "the requests in the log");
		await administrator.page.getByLabel("記録の種類").selectOption("access");
		await administrator.button("検索").click();
		await administrator.page.getByRole("listitem").filter({ hasText: "GET /v1/audit/events" }).first().waitFor();
		assert.match(administrator.page.url(), /\/audit\?kind=access$/);
		for (const name of story) assert.deepEqual(await found(neighbour, `operation=${name}`), []);
	});

	it("the administrator takes everything away as one file, which is checked offline", async () => {
		await administrator.prove(STAFF_PASSWORD);
		await administrator.menu("ホーム");
		await administrator.link("書き出し").click();
		await administrator.button("書き出しを始める").click();
		await administrator.button("ファイルを受け取る").waitFor();
		await administrator.shot("export");
		const [download] = await Promise.all([
			administrator.page.waitForEvent("download"),
			administrator.button("ファイルを受け取る").click(),
		]);
		const { keys } = await (await administrator.context.request.get("/v1/audit/log/key")).json();
		assert.match(verifyDownload(keys[0], await download.path(), "archive"), /^GOOD: /);
		await administrator.button("書き出したファイルを消す").click();
		await administrator.button("書き出しを始める").waitFor();
	});

	it("the administrator sees how old the key is and what it protects", async () => {
		await administrator.menu("ホーム");
		await administrator.link("暗号と鍵").click();
		await administrator.page.getByRole("rowheader", { name: "利用者の氏名" }).waitFor();
		await administrator.page.getByRole("region", { name: "鍵のバージョン" }).getByText("使用中").waitFor();
		const videos = administrator.page.getByRole("row").filter({ has: administrator.page.getByRole("rowheader", { name: "動画", exact: true }) });
		assert.match(await videos.innerText(), /XChaCha20-Poly1305[\s\S]*鍵 256ビット/);
		await administrator.shot("keys");
	});

	it("the system administrators were mailed of the privileged logins", async () => {
		const roles = ["運営管理者", "契約管理者"]; // people stand in mail by their ids alone
		const all = await eventually(() => {
			const found = mails(stack);
			return roles.every((role) => found.some((mail) => mail.includes(role))) && found;
		}, "the mails");
		assert.ok(all.every((mail) => mail.includes("system-administrators@example.jp")));
		assert.ok(all.every((mail) => roles.some((role) => mail.includes(role))));
	});

	it("no page broke its policy, threw an error or met a server error", () => {
		assert.deepEqual(faults, []);
	});
});
