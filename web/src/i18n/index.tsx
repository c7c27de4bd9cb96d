/* Texts by key, typed by the Japanese catalogue; `T` shows readings, `t` gives the bare text. */
import { isValidElement, type ReactNode } from "react";
import type archive from "../contractor/archive.ja.json";
import type complete from "../contractor/completeness.ja.json";
import type erasure from "../contractor/erasure.ja.json";
import type exporting from "../contractor/export.ja.json";
import type importing from "../contractor/import.ja.json";
import type retention from "../contractor/retention.ja.json";
import type contracts from "../operator/contracts.ja.json";
import type later from "../second-factor/ja.json";
import type reset from "../second-factor/reset.ja.json";
import type keys from "../shared/keys.ja.json";
import type label from "../shared/label.ja.json";
import ja from "./ja.json";
import { type Language, language } from "./language";
import { Ruby } from "./Ruby";
import { parse, plain, type Values } from "./ruby";

export type Key = keyof (typeof ja &
	typeof later &
	typeof reset &
	typeof importing &
	typeof archive &
	typeof complete &
	typeof erasure &
	typeof exporting &
	typeof retention &
	typeof contracts &
	typeof keys &
	typeof label);

let catalogue = ja as Record<Key, string>;

/** To be awaited before the first text is asked for. Fails when it cannot be loaded; the Japanese one is always there. */
export async function loadCatalogue(): Promise<void> {
	if (language() === "en") catalogue = (await import("./en.json")).default as Record<Key, string>;
	document.documentElement.lang = language();
}

/** A page that has been open for long meets values that only a newer server and page know. */
function textOf(key: Key): string {
	return catalogue[key] ?? catalogue["error.newer"];
}

/** Texts that come later than the first, with the screens that need them. */
export function addTexts(texts: Record<Language, Partial<Record<Key, string>>>): void {
	Object.assign(catalogue, texts[language()]);
}

export function t(key: Key, values?: Values): string {
	return plain(textOf(key), values);
}

export function T({ k, ...values }: { k: Key } & Values): ReactNode {
	return (
		<span>
			{parse(textOf(k), values).map((piece, i) =>
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

/**
 * The bare text of a single `T`, to be the name of the control or heading that it fills: with
 * readings between them, the parts of a text would otherwise be named as separate words.
 */
export function nameOf(node: ReactNode): string | undefined {
	if (!isValidElement<{ k: Key } & Values>(node) || node.type !== T) return undefined;
	const { k, ...values } = node.props;
	return t(k, values);
}

/** Does a key exist? For keys made from names that the server sends. */
export function isKey(key: string): key is Key {
	return Object.hasOwn(catalogue, key);
}
