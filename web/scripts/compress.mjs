// Writes .br and .gz beside every built text file, so that the gateway never compresses, and moves
// Vite's manifest out of what is served.
import {
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmdirSync,
	writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist", import.meta.url).pathname;
const kept = new URL("../node_modules/.manabiya", import.meta.url).pathname;
const textual = new Set([".html", ".js", ".css", ".svg", ".json", ".txt"]);

mkdirSync(kept, { recursive: true });
renameSync(join(dist, ".vite/manifest.json"), join(kept, "manifest.json"));
rmdirSync(join(dist, ".vite"));

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
	if (!entry.isFile() || !textual.has(extname(entry.name))) continue;
	const path = join(entry.parentPath, entry.name);
	const bytes = readFileSync(path);
	const params = {
		[constants.BROTLI_PARAM_QUALITY]: 11,
		[constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
	};
	writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
	writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
}
