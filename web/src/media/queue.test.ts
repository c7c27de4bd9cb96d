import { describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import { type Clip, type ClipSender, type ClipStore, type ClipView, UploadQueue } from "./queue";

const PATIENCE = { timeout: 30_000 }; // ends with what is waited for

class MemoryStore implements ClipStore {
	readonly clips = new Map<string, Clip>();
	all = async () => [...this.clips.values()];
	get = async (id: string) => this.clips.get(id);
	put = async (clip: Clip) => void this.clips.set(clip.id, clip);
	remove = async (id: string) => void this.clips.delete(id);
}

function clip(change: Partial<Clip> = {}): Clip {
	return {
		id: "clip",
		userId: "me",
		assignmentId: "a",
		skillId: "s",
		skillName: "前転",
		file: new Blob(["0123456789"]),
		submit: true,
		createdAt: 0,
		...change,
	};
}

function setUp(sender: Partial<ClipSender> = {}) {
	const store = new MemoryStore();
	const later: { work: () => void; ms: number }[] = [];
	const whole = {
		send: vi.fn<ClipSender["send"]>(async () => "media"),
		makeTry: vi.fn<ClipSender["makeTry"]>(async () => "try"),
		submit: vi.fn<ClipSender["submit"]>(async () => {}),
		discard: vi.fn<ClipSender["discard"]>(async () => {}),
		...sender,
	};
	const queue = new UploadQueue({
		store,
		sender: whole,
		exclusively: (_, work) => work(),
		schedule: (work, ms) => void later.push({ work, ms }),
	});
	const only = (): ClipView => {
		const view = queue.snapshot()[0];
		if (!view) throw new Error("no clip");
		return view;
	};
	const reaches = (state: ClipView["state"]) =>
		vi.waitFor(() => expect(only().state).toBe(state), PATIENCE);
	return { store, queue, later, sender: whole, only, reaches };
}

const offline = () => new ApiError(0);

describe("a clip", () => {
	it("is sent, made a try, handed in, and then forgotten by the device", async () => {
		const { queue, sender, store, only, reaches } = setUp();
		await queue.add(clip());
		await reaches("done");
		expect(sender.submit).toHaveBeenCalledWith("try");
		expect(only().tryId).toBe("try");
		expect(store.clips.size).toBe(0);
	});
	it("is only kept when that was the wish", async () => {
		const { queue, sender, reaches } = setUp();
		await queue.add(clip({ submit: false }));
		await reaches("done");
		expect(sender.makeTry).toHaveBeenCalled();
		expect(sender.submit).not.toHaveBeenCalled();
	});
	it("shows how far it is", async () => {
		const send: ClipSender["send"] = async (_, { onProgress }) => {
			onProgress(4, 10);
			return new Promise(() => {});
		};
		const { queue, only } = setUp({ send });
		await queue.add(clip());
		const halfway = { sent: 4, total: 10, state: "sending" };
		await vi.waitFor(() => expect(only()).toMatchObject(halfway), PATIENCE);
	});
	it("waits and goes on where it was after a lost connection", async () => {
		const send = vi
			.fn<ClipSender["send"]>()
			.mockImplementationOnce(async (_, { onUrl }) => {
				onUrl("/v1/media/m");
				throw offline();
			})
			.mockResolvedValueOnce("m");
		const { queue, later, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("waiting");
		later[0]?.work();
		await reaches("done");
		expect(send.mock.calls[1]?.[0].uploadUrl).toBe("/v1/media/m");
	});
	it("waits longer each time, and as long as the server says", async () => {
		const send = vi.fn<ClipSender["send"]>();
		send.mockRejectedValueOnce(offline()).mockRejectedValueOnce(offline());
		send.mockRejectedValueOnce(new ApiError(503, {}, 90)).mockResolvedValueOnce("m");
		const { queue, later, reaches } = setUp({ send });
		await queue.add(clip());
		for (const n of [0, 1, 2]) {
			await vi.waitFor(() => expect(later.length).toBe(n + 1), PATIENCE);
			later[n]?.work();
		}
		await reaches("done");
		expect(later.map(({ ms }) => ms)).toEqual([1000, 2000, 90_000]);
	});
	it("asks again when an earlier attempt is still being taken in", async () => {
		const send = vi.fn<ClipSender["send"]>();
		send.mockRejectedValueOnce(new ApiError(409)).mockResolvedValueOnce("m");
		const { queue, later, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("waiting");
		later[0]?.work();
		await reaches("done");
	});
	it("goes on at once when the network is back", async () => {
		const send = vi
			.fn<ClipSender["send"]>()
			.mockRejectedValueOnce(offline())
			.mockResolvedValue("m");
		const { queue, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("waiting");
		queue.wake();
		await reaches("done");
	});
	it("does not send its bytes again when only the try failed", async () => {
		const makeTry = vi.fn<ClipSender["makeTry"]>().mockRejectedValueOnce(offline());
		makeTry.mockResolvedValueOnce("try");
		const { queue, sender, later, reaches } = setUp({ makeTry });
		await queue.add(clip());
		await reaches("waiting");
		later[0]?.work();
		await reaches("done");
		expect(sender.send).toHaveBeenCalledTimes(1);
		expect(makeTry.mock.calls.map(([{ id }]) => id)).toEqual(["clip", "clip"]);
	});
	it("fails for good when it is refused, until the person tries again", async () => {
		const send = vi.fn<ClipSender["send"]>();
		send.mockRejectedValueOnce(new ApiError(403, { code: "feature_denied" }));
		send.mockResolvedValueOnce("m");
		const { queue, only, later, store, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("failed");
		expect(only().error?.code).toBe("feature_denied");
		expect(later).toEqual([]);
		expect(store.clips.size).toBe(1);
		queue.resume("clip");
		await reaches("done");
	});
	it("can be paused and go on", async () => {
		const send = vi
			.fn<ClipSender["send"]>()
			.mockImplementationOnce(
				(_, { signal }) =>
					new Promise((_resolve, reject) => {
						signal.addEventListener("abort", () => reject(signal.reason));
					}),
			)
			.mockResolvedValueOnce("m");
		const { queue, later, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("sending");
		queue.pause("clip");
		await reaches("paused");
		expect(later).toEqual([]);
		queue.resume("clip");
		await reaches("done");
	});
	it("leaves nothing behind when it is removed", async () => {
		const send: ClipSender["send"] = () => new Promise(() => {});
		const { queue, sender, store, reaches } = setUp({ send });
		await queue.add(clip());
		await reaches("sending");
		await queue.remove("clip");
		expect(queue.snapshot()).toEqual([]);
		expect(store.clips.size).toBe(0);
		expect(sender.discard).toHaveBeenCalled();
	});
});

describe("a new page", () => {
	it("takes up what the last one left behind", async () => {
		const send = vi.fn<ClipSender["send"]>().mockResolvedValue("m");
		const { queue, store, reaches } = setUp({ send });
		store.clips.set("clip", clip({ uploadUrl: "/v1/media/m" }));
		await queue.start("me");
		await reaches("done");
		expect(send.mock.calls[0]?.[0].uploadUrl).toBe("/v1/media/m");
	});
	it("drops what another tab has finished", async () => {
		const { queue, store, sender } = setUp();
		store.clips.set("clip", clip());
		store.get = async () => undefined;
		await queue.start("me");
		await vi.waitFor(() => expect(queue.snapshot()).toEqual([]), PATIENCE);
		expect(sender.send).not.toHaveBeenCalled();
	});
	it("leaves the clips of other pupils alone", async () => {
		const { queue, store } = setUp();
		store.clips.set("clip", clip({ userId: "other" }));
		await queue.start("me");
		expect(queue.snapshot()).toEqual([]);
		expect(store.clips.size).toBe(1);
	});
});
