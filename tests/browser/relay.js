/*
 * A bad network between one browser and the gateway: it passes bytes on, slowly when asked, and can be cut. The browser's own
 * emulation lets a request that is under way finish when it goes "offline", so nothing would be cut.
 */
import { createServer, connect } from "node:net";

export class Relay {
	static async before(address) {
		const relay = new Relay();
		const { port } = new URL(address);
		relay.sockets = new Set();
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
