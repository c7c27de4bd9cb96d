/* The one upload queue of this page, wired to the browser. */
import { useSyncExternalStore } from "react";
import { api } from "../api/client";
import { clipStore } from "./clip-store";
import { type Clip, type ClipSender, UploadQueue } from "./queue";

export const sender: ClipSender = {
	async send(clip, hooks) {
		const { transfer } = await import("./transfer");
		return transfer(clip.file, { ...hooks, uploadUrl: clip.uploadUrl });
	},
	async makeTry({ id, assignmentId, skillId, mediaId }) {
		const body = { assignmentId, skillId, mediaId: mediaId ?? "" };
		return (await api("post", "/v1/tries", { body, key: id })).id;
	},
	async submit(tryId) {
		await api("post", "/v1/tries/{tryId}/submit", { params: { tryId } });
	},
	async discard({ uploadUrl, tryId }) {
		if (!uploadUrl || tryId) return;
		const { mediaId } = await import("./transfer");
		const [params, headers] = [{ mediaId: mediaId(uploadUrl) }, { "Tus-Resumable": "1.0.0" }];
		await api("delete", "/v1/media/{mediaId}", { params, headers });
	},
};

export const uploads = new UploadQueue({
	store: clipStore,
	sender,
	async exclusively(name, work) {
		if (!navigator.locks) return work(); // an old browser: the server refuses a second writer
		await navigator.locks.request(name, work);
	},
	schedule: (work, ms) => setTimeout(work, ms),
});

let isStarted = false;

export function startUploads(userId: string): void {
	if (isStarted) return;
	isStarted = true;
	window.addEventListener("online", () => uploads.wake());
	import("./transfer").catch(() => {}); // before the network goes, or a new release without this file comes
	uploads.start(userId).catch(() => {}); // no IndexedDB: nothing can have been left behind
}

export function useUploads() {
	return useSyncExternalStore(uploads.subscribe, uploads.snapshot);
}

export async function addClip(clip: Omit<Clip, "id" | "createdAt">): Promise<string> {
	const id = crypto.randomUUID();
	await navigator.storage?.persist?.().catch(() => false);
	await uploads.add({ ...clip, id, createdAt: Date.now() });
	return id;
}
