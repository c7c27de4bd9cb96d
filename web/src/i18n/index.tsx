/* Texts by key, typed by the Japanese catalogue; `T` shows readings, `t` gives the bare text. */
import type { ReactNode } from "react";
import ja from "./ja.json";
import { language } from "./language";
import { Ruby } from "./Ruby";
import { parse, plain, type Values } from "./ruby";

export type Key = keyof typeof ja;

let catalogue: Record<Key, string> = ja;

/** To be awaited before the first text is asked for. */
export async function loadCatalogue(): Promise<void> {
	if (language() === "en") catalogue = (await import("./en.json")).default;
	document.documentElement.lang = language();
}

export function t(key: Key, values?: Values): string {
	return plain(catalogue[key], values);
}

export function T({ k, ...values }: { k: Key } & Values): ReactNode {
	return (
		<span>
			{parse(catalogue[k], values).map((piece, i) =>
				piece.reading ? (
					// biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never move
					<Ruby key={i} text={piece.text} reading={piece.reading} />
				) : (
					piece.text
				),
			)}
		</span>
	);
}

/** Does a key exist? For keys made from names that the server sends. */
export function isKey(key: string): key is Key {
	return Object.hasOwn(catalogue, key);
}
