/* A running Manabiya of its own for a browser test: started by tools/stack.py, ended by closeStack(). */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, cpSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const OUTPUT = join(ROOT, ".manabiya/test/browser");
const BUILD = process.env.MANABIYA_BUILD ?? join(ROOT, "build");
const WEB = process.env.MANABIYA_WEB_ROOT ?? join(ROOT, "web/dist");

function stack(action, directory, ...options) {
	const command = [join(ROOT, "tools/stack.py"), action, directory, "--build", BUILD, ...options];
	return execFileSync("/usr/bin/python3", command, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

export function openStack() {
	const directory = mkdtempSync(join(tmpdir(), "manabiya-browser-"));
	stack("up", directory, "--web-root", WEB);
	return { directory, ...JSON.parse(readFileSync(join(directory, "stack.json"), "utf8")) };
}

export function closeStack({ directory }) {
	stack("down", directory);
	cpSync(join(directory, "logs"), join(OUTPUT, "logs", basename(process.argv[1], ".test.js")), { recursive: true });
	rmSync(directory, { recursive: true });
}

/** Every mail that the sink has filed, as decoded text. */
export function mails({ mail }) {
	const folder = join(mail, "new");
	if (!existsSync(folder)) return [];
	return readdirSync(folder).map((name) => {
		const [head, ...body] = readFileSync(join(folder, name), "utf8").split(/\r?\n\r?\n/);
		return `${head}\n${Buffer.from(body.join(""), "base64").toString("utf8")}`;
	});
}

/** What manabiya-verify says of a file that the page of the log gave. */
export function verifyDownload(key, path, command = "download") {
	return execFileSync(join(BUILD, "verify/manabiya-verify"), [command, `--key=${key}`, path], { encoding: "utf8" });
}

/** As the superuser of the stack's database: for what only time does. */
export function sql({ database }, text) {
	return execFileSync("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text], { encoding: "utf8" }).trim();
}

/** A short clip of a test picture, made here: no third-party footage. */
export function makeClip(path, seconds) {
	const input = ["-f", "lavfi", "-i", `testsrc=size=320x240:rate=30:duration=${seconds}`];
	const coding = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "30", "-movflags", "+faststart"];
	execFileSync("ffmpeg", ["-v", "error", "-y", ...input, ...coding, path]);
	return path;
}
