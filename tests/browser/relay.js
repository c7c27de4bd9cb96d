/*
 * A bad network between one browser and the gateway: it passes bytes on, slowly when asked, and can be cut. The browser's own
 * emulation lets a request that is under way finish when it goes "offline", so nothing would be cut.
 */
import { readFileSync } from "node:fs";
import { createServer, connect } from "node:net";

/** What the kernel holds of connections on this machine: [local port, remote port, bytes not sent, bytes not read]. */
function waiting() {
	const lines = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/net/${name}`, "utf8").trim().split("\n").slice(1));
	return lines.map((line) => {
		const [, local, remote, , queues] = line.trim().split(/\s+/);
		return [...[local, remote].map((address) => address.split(":")[1]), ...queues.split(":")].map((text) => Number.parseInt(text, 16));
	});
}

export class Relay {
	static async before(address) {
		const relay = new Relay();
		const { port } = new URL(address);
		relay.sockets = new Set();
		relay.servers = new Set(); // of these, the ones to the gateway
		relay.bytesPerSecond = Number.POSITIVE_INFINITY;
		relay.bytes = 0; // that the browser has sent so far
		relay.server = createServer((client) => relay.join(client, connect(Number(port), "127.0.0.1")));
		await new Promise((resolve) => relay.server.listen(0, "127.0.0.1", resolve));
		relay.address = `https://localhost:${relay.server.address().port}`;
		return relay;
	}

	join(client, server) {
		if (this.isCut) {
			client.destroy();
			server.destroy();
			return;
		}
		for (const socket of [client, server]) {
			this.sockets.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => {
				this.sockets.delete(socket);
				client.destroy();
				server.destroy();
			});
		}
		this.servers.add(server);
		server.on("close", () => this.servers.delete(server));
		server.pipe(client);
		client.on("data", (data) => {
			server.write(data);
			this.bytes += data.length;
			const ms = (data.length / this.bytesPerSecond) * 1000;
			if (ms < 1) return;
			client.pause();
			setTimeout(() => client.resume(), ms);
		});
	}

	/** Whether the gateway has read whatever the browser has sent so far: what it has not, a cut would lose. */
	isRead() {
		const own = new Set([...this.servers].map((server) => server.localPort));
		const isEmpty = waiting().every(([local, remote, unsent, unread]) => (!own.has(local) || !unsent) && (!own.has(remote) || !unread));
		return isEmpty && [...this.servers].every((server) => !server.writableLength);
	}

	cut() {
		this.isCut = true;
		for (const socket of this.sockets) socket.destroy();
	}

	mend() {
		this.isCut = false;
		this.bytesPerSecond = Number.POSITIVE_INFINITY;
	}

	close() {
		this.cut();
		this.server.close();
	}
}
