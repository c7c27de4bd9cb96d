/* Display settings of this device: readings and text size, set on the root element for the CSS. */
import { useSyncExternalStore } from "react";

export type TextSize = "100" | "125" | "150" | "200";

export interface Display {
	/** Unset: on for pupils and at the login, off for staff. */
	furigana?: boolean;
	textSize: TextSize;
}

const KEY = "manabiya.display";
const listeners = new Set<() => void>();
let current: Display = read();

function read(): Display {
	try {
		return { textSize: "100", ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
	} catch {
		return { textSize: "100" };
	}
}

export function useDisplay(): Display {
	return useSyncExternalStore(
		(listener) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		() => current,
	);
}

export function setDisplay(change: Partial<Display>): void {
	current = { ...current, ...change };
	localStorage.setItem(KEY, JSON.stringify(current));
	for (const listener of listeners) listener();
}

export function applyDisplay({ furigana, textSize }: Display, isStaff: boolean): void {
	const root = document.documentElement;
	root.dataset.furigana = (furigana ?? !isStaff) ? "on" : "off";
	root.dataset.textSize = textSize;
}
