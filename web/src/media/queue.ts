/*
 * The queue of videos that are on their way. Each clip goes through three steps: its bytes are sent,
 * a try is made of them, the try is handed in. Every finished step is stored before the next begins,
 * so a reload, a crash or a lost connection goes on where it stopped and does nothing twice.
 *
 * Nothing here knows the browser: storage, network, lock and time are given.
 */
import { ApiError } from "../api/client";

export interface Clip {
	/** Also the idempotency key of the try. */
	id: string;
	userId: string;
	assignmentId: string;
	skillId: string;
	skillName: string;
	file: Blob;
	/** Hand it in to the teacher at once. */
	submit: boolean;
	createdAt: number;
	uploadUrl?: string;
	mediaId?: string;
	tryId?: string;
}

export interface ClipStore {
	all(): Promise<Clip[]>;
	get(id: string): Promise<Clip | undefined>;
	put(clip: Clip): Promise<void>;
	remove(id: string): Promise<void>;
}

export interface ClipSender {
	send(
		clip: Clip,
		hooks: {
			signal: AbortSignal;
			onUrl: (url: string) => void;
			onProgress: (sent: number, total: number) => void;
		},
	): Promise<string>;
	makeTry(clip: Clip): Promise<string>;
	submit(tryId: string): Promise<void>;
	/** Give up what the server already holds. */
	discard(clip: Clip): Promise<void>;
}

export type ClipState = "queued" | "sending" | "paused" | "waiting" | "failed" | "done";

export interface ClipView {
	id: string;
	assignmentId: string;
	skillId: string;
	skillName: string;
	state: ClipState;
	sent: number;
	total: number;
	createdAt: number;
	error?: ApiError;
	tryId?: string;
}

export interface QueueOptions {
	store: ClipStore;
	sender: ClipSender;
	/** Runs the work when no other tab does it, waiting for that. */
	exclusively: (name: string, work: () => Promise<void>) => Promise<void>;
	schedule: (work: () => void, ms: number) => void;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000; // a class of forty that asks this often is no load

interface Entry {
	clip: Clip;
	view: ClipView;
	stop?: AbortController;
	failures: number;
}

export class UploadQueue {
	private readonly entries = new Map<string, Entry>();
	private readonly listeners = new Set<() => void>();
	private views: ClipView[] = [];

	constructor(private readonly options: QueueOptions) {}

	subscribe = (listener: () => void): (() => void) => {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	};

	snapshot = (): ClipView[] => this.views;

	/** Take up what an earlier page left behind. Other people's clips stay where they are. */
	async start(userId: string): Promise<void> {
		for (const clip of await this.options.store.all()) {
			if (clip.userId !== userId || this.entries.has(clip.id)) continue;
			this.enter(clip);
			this.run(clip.id);
		}
	}

	async add(clip: Clip): Promise<void> {
		await this.options.store.put(clip);
		this.enter(clip);
		this.run(clip.id);
	}

	pause(id: string): void {
		const entry = this.entries.get(id);
		if (!entry || entry.view.state === "done") return;
		this.show(entry, { state: "paused" });
		entry.stop?.abort(new DOMException("paused", "AbortError"));
	}

	resume(id: string): void {
		const entry = this.entries.get(id);
		if (!entry || entry.view.state === "sending" || entry.view.state === "done") return;
		entry.failures = 0;
		this.show(entry, { state: "queued", error: undefined });
		this.run(id);
	}

	/** The connection is back: do not wait for the next turn. */
	wake(): void {
		for (const { clip, view } of this.entries.values()) {
			if (view.state === "waiting") this.resume(clip.id);
		}
	}

	async remove(id: string): Promise<void> {
		const entry = this.entries.get(id);
		if (!entry) return;
		this.pause(id);
		this.entries.delete(id);
		this.publish();
		await this.options.store.remove(id);
		if (entry.view.state !== "done") await this.options.sender.discard(entry.clip).catch(() => {});
	}

	private enter(clip: Clip): void {
		const { id, assignmentId, skillId, skillName, createdAt, tryId } = clip;
		const total = clip.file.size;
		const sent = clip.mediaId ? total : 0;
		const common = { id, assignmentId, skillId, skillName, createdAt, tryId };
		this.entries.set(id, { clip, view: { ...common, state: "queued", sent, total }, failures: 0 });
		this.publish();
	}

	private run(id: string): void {
		this.options
			.exclusively(`manabiya-clip-${id}`, async () => {
				const entry = this.entries.get(id);
				if (entry?.view.state !== "queued") return;
				const stored = await this.options.store.get(id);
				if (!stored) {
					// Another tab has finished it meanwhile.
					this.entries.delete(id);
					this.publish();
					return;
				}
				entry.clip = stored;
				entry.stop = new AbortController();
				this.show(entry, { state: "sending" });
				try {
					await this.steps(entry, entry.stop.signal);
					await this.options.store.remove(id);
					this.show(entry, { state: "done", tryId: entry.clip.tryId });
				} catch (error) {
					this.failed(entry, error);
				}
			})
			.catch((error) => {
				const entry = this.entries.get(id);
				if (entry) this.failed(entry, error);
			});
	}

	private async steps(entry: Entry, signal: AbortSignal): Promise<void> {
		const { sender } = this.options;
		if (!entry.clip.mediaId) {
			const mediaId = await sender.send(entry.clip, {
				signal,
				onUrl: (uploadUrl) => this.keep(entry, { uploadUrl }),
				onProgress: (sent, total) => {
					if (sent > entry.view.sent) entry.failures = 0; // the line works again
					this.show(entry, { sent, total });
				},
			});
			await this.keep(entry, { mediaId });
		}
		signal.throwIfAborted();
		if (!entry.clip.tryId) await this.keep(entry, { tryId: await sender.makeTry(entry.clip) });
		signal.throwIfAborted();
		if (entry.clip.submit && entry.clip.tryId) await sender.submit(entry.clip.tryId);
	}

	private failed(entry: Entry, error: unknown): void {
		if (entry.view.state === "paused" || !this.entries.has(entry.clip.id)) return;
		const known = error instanceof ApiError ? error : new ApiError(0);
		// 409: an earlier attempt had not ended yet; the next one asks how far it came.
		const isOvertaken = known.status === 409 && !entry.clip.mediaId;
		if (!known.isTemporary && !isOvertaken && known.status !== 401) {
			this.show(entry, { state: "failed", error: known });
			return;
		}
		this.show(entry, { state: "waiting", error: known });
		const backoff = Math.min(RETRY_FIRST_MS * 2 ** entry.failures++, RETRY_MAX_MS);
		this.options.schedule(
			() => {
				if (entry.view.state !== "waiting") return;
				this.show(entry, { state: "queued" });
				this.run(entry.clip.id);
			},
			Math.max(backoff, (known.retryAfterSeconds ?? 0) * 1000),
		);
	}

	private async keep(entry: Entry, change: Partial<Clip>): Promise<void> {
		entry.clip = { ...entry.clip, ...change };
		if (this.entries.has(entry.clip.id)) await this.options.store.put(entry.clip);
	}

	private show(entry: Entry, change: Partial<ClipView>): void {
		entry.view = { ...entry.view, ...change };
		this.publish();
	}

	private publish(): void {
		this.views = [...this.entries.values()].map(({ view }) => view);
		for (const listener of this.listeners) listener();
	}
}
