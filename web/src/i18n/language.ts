/* Which language the page speaks; chosen once per page load. */
export type Language = "ja" | "en";

const KEY = "manabiya.language";

export function language(): Language {
	try {
		return localStorage.getItem(KEY) === "en" ? "en" : "ja";
	} catch {
		return "ja"; // no storage: private window, or a test
	}
}

export function setLanguage(value: Language): void {
	localStorage.setItem(KEY, value);
}
