/* Text with readings: `{漢字|かんじ}`. And with values: `{name}`. */

export interface Piece {
	text: string;
	reading?: string;
}

export type Values = Record<string, string | number>;

const MARK = /\{([^{}|]+)\|([^{}|]+)\}|\{(\w+)\}/g;

/** Splits a text into pieces with and without a reading. Values are never parsed again. */
export function parse(text: string, values: Values = {}): Piece[] {
	const pieces: Piece[] = [];
	const plain = (piece: string) => {
		const last = pieces.at(-1);
		if (last && last.reading === undefined) last.text += piece;
		else if (piece) pieces.push({ text: piece });
	};
	let end = 0;
	for (const match of text.matchAll(MARK)) {
		plain(text.slice(end, match.index));
		end = match.index + match[0].length;
		const [whole, base, reading, name] = match;
		if (base && reading) pieces.push({ text: base, reading });
		else plain(String(values[name ?? ""] ?? whole));
	}
	plain(text.slice(end));
	return pieces;
}

/** The text alone, for attributes and titles. */
export function plain(text: string, values?: Values): string {
	return parse(text, values)
		.map((piece) => piece.text)
		.join("");
}
