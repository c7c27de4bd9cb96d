import { describe, expect, it } from "vitest";
import { type Channel, type Heard, openLine, type Source } from "./line";

/** A browser with tabs: one lock, one channel, and the sources that were opened. */
class Browser {
	readonly sources: (Source & { isClosed: boolean })[] = [];
	private readonly channels = new Set<Channel>();
	private readonly waiting: (() => void)[] = [];
	private isHeld = false;

	tab() {
		const heard: Heard[] = [];
		const close = openLine((item) => heard.push(item), {
			open: () => this.open(),
			channel: () => this.channel(),
			elect: (signal, lead) => this.elect(signal, lead),
		});
		return { heard, close };
	}

	say(source: number, type: string) {
		this.sources[source]?.onmessage?.({ data: JSON.stringify({ type }) });
	}

	private open() {
		const source = {
			onopen: null,
			onmessage: null,
			onerror: null,
			readyState: 1,
			isClosed: false,
			close() {
				this.isClosed = true;
			},
		};
		this.sources.push(source);
		return source;
	}

	private channel(): Channel {
		const channel: Channel = {
			onmessage: null,
			postMessage: (data) => {
				for (const other of this.channels) if (other !== channel) other.onmessage?.({ data });
			},
			close: () => this.channels.delete(channel),
		};
		this.channels.add(channel);
		return channel;
	}

	private elect(signal: AbortSignal, lead: () => void) {
		const take = () => {
			if (signal.aborted) return this.next();
			this.isHeld = true;
			signal.addEventListener("abort", () => this.next());
			lead();
		};
		if (this.isHeld) this.waiting.push(take);
		else take();
	}

	private next() {
		this.isHeld = false;
		this.waiting.shift()?.();
	}
}

const kinds = (heard: Heard[]) => heard.map(({ kind }) => kind);

describe("the line for events", () => {
	it("is one per browser, and every tab hears it", () => {
		const browser = new Browser();
		const [first, second] = [browser.tab(), browser.tab()];
		expect(browser.sources).toHaveLength(1);
		browser.sources[0]?.onopen?.();
		browser.say(0, "resync");
		browser.say(0, "notice");
		expect(kinds(first.heard)).toEqual(["live", "refresh", "hint"]);
		expect(second.heard.slice(-3)).toEqual(first.heard);
	});

	it("passes to the next tab when the one that listens closes", () => {
		const browser = new Browser();
		const [first, second, third] = [browser.tab(), browser.tab(), browser.tab()];
		second.close();
		first.close();
		expect(browser.sources).toHaveLength(2);
		expect(browser.sources[0]?.isClosed).toBe(true);
		expect(third.heard.at(-1)).toEqual({ kind: "live", isLive: false });
		browser.sources[1]?.onopen?.();
		browser.say(1, "resync");
		expect(kinds(third.heard).slice(-2)).toEqual(["live", "refresh"]);
	});

	it("tells a new tab whether it is up", () => {
		const browser = new Browser();
		browser.tab();
		browser.sources[0]?.onopen?.();
		expect(browser.tab().heard).toEqual([{ kind: "live", isLive: true }]);
	});

	it("refreshes nothing after a cut in which nothing was missed", () => {
		const browser = new Browser();
		const { heard } = browser.tab();
		browser.sources[0]?.onopen?.();
		browser.say(0, "resync");
		browser.sources[0]?.onerror?.();
		browser.sources[0]?.onopen?.();
		expect(kinds(heard)).toEqual(["live", "refresh", "live", "live"]);
	});

	it("reads everything again when the server lost track on an open line", () => {
		const browser = new Browser();
		const { heard } = browser.tab();
		browser.sources[0]?.onopen?.();
		browser.say(0, "resync");
		browser.say(0, "resync");
		expect(kinds(heard)).toEqual(["live", "refresh", "hint"]);
	});
});
