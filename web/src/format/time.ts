/* Moments for people: always Japanese time, whatever the device says. */
import { language } from "../i18n/language";

const zone = { timeZone: "Asia/Tokyo" } as const;
const locale = () => (language() === "en" ? "en-GB" : "ja-JP");

export function dateTime(iso: string): string {
	return new Intl.DateTimeFormat(locale(), {
		...zone,
		month: "long",
		day: "numeric",
		weekday: "short",
		hour: "numeric",
		minute: "2-digit",
	}).format(new Date(iso));
}

/** With year and seconds, for records. */
export function exactTime(iso: string): string {
	return new Intl.DateTimeFormat(locale(), {
		...zone,
		dateStyle: "medium",
		timeStyle: "medium",
	}).format(new Date(iso));
}

export function timeOfDay(iso: string): string {
	return new Intl.DateTimeFormat(locale(), { ...zone, hour: "numeric", minute: "2-digit" }).format(
		new Date(iso),
	);
}

/** A calendar date, `2026-04-08`, which has no zone of its own. */
export function date(day: string): string {
	return new Intl.DateTimeFormat(locale(), {
		timeZone: "UTC",
		month: "long",
		day: "numeric",
		weekday: "short",
	}).format(new Date(`${day}T00:00:00Z`));
}

/** The same with its year, for what lasts longer than a term. */
export function fullDate(day: string): string {
	return new Intl.DateTimeFormat(locale(), { timeZone: "UTC", dateStyle: "medium" }).format(
		new Date(`${day}T00:00:00Z`),
	);
}

/** A moment of a video: 2400 → `0:02.4`. */
export function clock(ms: number): string {
	const tenths = Math.floor(Math.max(0, ms) / 100);
	const seconds = Math.floor(tenths / 10);
	const rest = String(seconds % 60).padStart(2, "0");
	return `${Math.floor(seconds / 60)}:${rest}.${tenths % 10}`;
}

/** The day in Japan of a moment, as a date field wants it. */
export function dayOf(iso: string): string {
	return new Intl.DateTimeFormat("sv-SE", { ...zone, dateStyle: "short" }).format(new Date(iso));
}

/** Local midnight in Japan of a date field, as the API wants it. */
export function startOfDay(day: string): string {
	return new Date(`${day}T00:00:00+09:00`).toISOString();
}

/** The first moment of the day after. */
export function endOfDay(day: string): string {
	return new Date(Date.parse(`${day}T00:00:00+09:00`) + 86_400_000).toISOString();
}

export function fileSize(bytes: number): string {
	return bytes < 1_000_000
		? `${Math.ceil(bytes / 1000)} KB`
		: `${(bytes / 1_000_000).toFixed(1)} MB`;
}
