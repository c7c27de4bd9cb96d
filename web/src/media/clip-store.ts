/* Clips in IndexedDB: the video stays on the device until the server has it, and not longer. */
import type { Clip, ClipStore } from "./queue";

const DATABASE = "manabiya";
const STORE = "clips";

function open(): Promise<IDBDatabase> {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open(DATABASE, 1);
		request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

async function run<T>(
	mode: IDBTransactionMode,
	work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
	const database = await open();
	try {
		return await new Promise<T>((resolve, reject) => {
			const transaction = database.transaction(STORE, mode);
			const request = work(transaction.objectStore(STORE));
			transaction.oncomplete = () => resolve(request.result);
			transaction.onerror = () => reject(transaction.error);
			transaction.onabort = () => reject(transaction.error);
		});
	} finally {
		database.close();
	}
}

export const clipStore: ClipStore = {
	all: () => run<Clip[]>("readonly", (store) => store.getAll()),
	get: (id) => run<Clip | undefined>("readonly", (store) => store.get(id)),
	put: async (clip) => {
		await run("readwrite", (store) => store.put(clip));
	},
	remove: async (id) => {
		await run("readwrite", (store) => store.delete(id));
	},
};
