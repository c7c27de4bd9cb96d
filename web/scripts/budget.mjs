// Fails when a route grows past its budget. A route costs what its static import graph weighs,
// gzipped: what the browser must have before the screen can be drawn.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const LOGIN_MAX = 105_000;
const ROUTE_MAX = 115_000;
const CSS_MAX = 12_000;

const dist = new URL("../dist", import.meta.url).pathname;
const manifest = JSON.parse(
	readFileSync(new URL("../node_modules/.manabiya/manifest.json", import.meta.url), "utf8"),
);
const sizes = new Map();

function size(file) {
	if (!sizes.has(file)) {
		sizes.set(file, gzipSync(readFileSync(join(dist, file)), { level: 9 }).length);
	}
	return sizes.get(file);
}

function graph(key, seen = new Set()) {
	if (seen.has(key)) return seen;
	seen.add(key);
	for (const next of manifest[key].imports ?? []) graph(next, seen);
	return seen;
}

const total = (keys) => [...keys].reduce((sum, key) => sum + size(manifest[key].file), 0);
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const shell = graph(entry);
const inside = graph("src/inside.tsx", new Set(shell)); // what every screen behind the login needs
const css = new Set(Object.values(manifest).flatMap((chunk) => chunk.css ?? []));
for (const chunk of Object.values(manifest)) if (chunk.file.endsWith(".css")) css.add(chunk.file);

const rows = [["css", [...css].reduce((sum, file) => sum + size(file), 0), CSS_MAX]];
for (const key of Object.keys(manifest)) {
	if (!manifest[key].isDynamicEntry || !key.endsWith("Page.tsx")) continue;
	const isLogin = key.endsWith("LoginPage.tsx");
	const seen = new Set(isLogin ? shell : inside);
	rows.push([key, total(graph(key, seen)), isLogin ? LOGIN_MAX : ROUTE_MAX]);
}

let over = false;
for (const [name, bytes, max] of rows) {
	const bad = bytes > max;
	over ||= bad;
	console.log(
		`${bad ? "OVER" : "ok  "} ${(bytes / 1000).toFixed(1).padStart(6)} / ${max / 1000} kB  ${name}`,
	);
}
process.exit(over ? 1 : 0);
