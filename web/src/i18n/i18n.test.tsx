import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import jaArchive from "../contractor/archive.ja.json";
import enComplete from "../contractor/completeness.en.json";
import jaComplete from "../contractor/completeness.ja.json";
import jaErasure from "../contractor/erasure.ja.json";
import jaExport from "../contractor/export.ja.json";
import jaImport from "../contractor/import.ja.json";
import jaRetention from "../contractor/retention.ja.json";
import jaContracts from "../operator/contracts.ja.json";
import enLater from "../second-factor/en.json";
import jaLater from "../second-factor/ja.json";
import enReset from "../second-factor/reset.en.json";
import jaReset from "../second-factor/reset.ja.json";
import jaKeys from "../shared/keys.ja.json";
import enLabel from "../shared/label.en.json";
import jaLabel from "../shared/label.ja.json";
import enFirst from "./en.json";
import { type Key, T, t } from "./index";
import jaFirst from "./ja.json";
import { parse, plain } from "./ruby";

const en = { ...enFirst, ...enLater, ...enReset, ...enLabel, ...enComplete };
const ja = {
	...jaFirst,
	...jaLater,
	...jaReset,
	...jaImport,
	...jaArchive,
	...jaErasure,
	...jaExport,
	...jaRetention,
	...jaContracts,
	...jaKeys,
	...jaComplete,
	...jaLabel,
};

// What pupils read; each kanji there needs its reading.
const FOR_PUPILS =
	/^(common|form|error|login|password|relogin|nav|home|notice|noticeOwn|announce|settings|media|upload|student|condition|feeling|own|viewpointEasy|try|label)\./;

// Keys that are made from names in the data.
const FROM_DATA =
	/^(own|state|notice|noticeOwn|viewpoint|viewpointEasy|grade|area|role|status|audience|condition|feeling|upload|feature|person|import)\.|^error\.code\.|^contracts\.(state|hint|action)\.|^audit\.verb\.|^label\.(I|reason|withheld)|^archive\.(state|type|signature)\.|^erasure\.(tobedeleted|eras|certified)|^export\.state\.|^keys\.(column|use|unit)\.|^retention\.(kind|label)\./;

const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

it("what only a newer page could say is told to be so", () => {
	expect(t("state.of a newer release" as Key)).toBe(plain(ja["error.newer"]));
	expect(renderToStaticMarkup(<T k={undefined as unknown as Key} />)).toContain("<ruby>");
});

describe("readings", () => {
	it("splits text and readings", () => {
		expect(parse("{先生|せんせい}におくる")).toEqual([
			{ text: "先生", reading: "せんせい" },
			{ text: "におくる" },
		]);
	});
	it("puts values in and never parses them again", () => {
		expect(plain("{name}さん", { name: "{a|b}" })).toBe("{a|b}さん");
		expect(parse("{name}さんの{動|うご}き", { name: "林" })).toEqual([
			{ text: "林さんの" },
			{ text: "動", reading: "うご" },
			{ text: "き" },
		]);
	});
	it("leaves a value that nobody gave visible", () => {
		expect(plain("{n}件")).toBe("{n}件");
	});
	it("keeps the text bare for screen readers and searching", () => {
		const html = renderToStaticMarkup(<T k="student.send" />);
		expect(html).toContain('<ruby>先生<rt aria-hidden="true" data-reading="せんせい"></rt></ruby>');
		expect(t("student.send")).toBe("先生におくる");
	});
});

describe("catalogues", () => {
	it("have the same keys", () => {
		expect(Object.keys(en).sort()).toEqual(Object.keys(ja).sort());
	});
	it("have the same values in every text", () => {
		for (const [key, text] of Object.entries(ja)) {
			expect(values(en[key as keyof typeof en]), key).toEqual(values(text));
		}
	});
	it("give every kanji that pupils see a reading", () => {
		for (const [key, text] of Object.entries(ja)) {
			if (!FOR_PUPILS.test(key)) continue;
			const bare = parse(text).filter((piece) => !piece.reading);
			expect(bare.map((piece) => piece.text).join(""), key).not.toMatch(/\p{Script=Han}/u);
		}
	});
	it("hold no text that is not used", () => {
		const source = join(import.meta.dirname, "..");
		const code = readdirSync(source, { recursive: true, encoding: "utf8" })
			.filter((name) => /\.tsx?$/.test(name) && !name.includes(".test."))
			.map((name) => readFileSync(join(source, name), "utf8"))
			.join("\n");
		const unused = Object.keys(ja).filter(
			(key) => !FROM_DATA.test(key) && !code.includes(`"${key}"`),
		);
		expect(unused).toEqual([]);
	});
});
