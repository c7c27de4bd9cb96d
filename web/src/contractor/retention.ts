/* Rules of how long things are kept: from a form and back, and whether they keep less than before. */
import type { Answer, Body } from "../api/types";

export type Rule = Body<"put", "/v1/retention">["rules"][number];
export type KeptRule = Answer<"get", "/v1/retention">["rules"][number];
export type Kind = Rule["kind"];
export type Label = Rule["label"];

export const DAYS_MIN = 30;
export const DAYS_MAX = 3650;

/** Which classes a kind has: what a form asks for. */
export const CLASSES: { kind: Kind; labels: Label[] }[] = [
	{ kind: "record", labels: ["III", "II", "I"] },
	{ kind: "announcement", labels: ["IV", "III", "II", "I"] },
	{ kind: "notice", labels: ["IV"] },
];

export const fieldOf = (kind: Kind, label: Label) => `${kind}-${label}`;

/** What was typed; a field that is empty is no rule. */
export function rulesOf(data: FormData): Rule[] {
	return CLASSES.flatMap(({ kind, labels }) =>
		labels.flatMap((label) => {
			const typed = String(data.get(fieldOf(kind, label)) ?? "").trim();
			return typed === "" ? [] : [{ kind, label, days: Number(typed) }];
		}),
	);
}

export function find<R extends Pick<Rule, "kind" | "label">>(
	rules: R[],
	kind: Kind,
	label: Label,
): R | undefined {
	return rules.find((rule) => rule.kind === kind && rule.label === label);
}

/** The new rules that keep less than what is set now: what they remove has to be shown first. */
export function shorter(before: KeptRule[], after: Rule[]): Rule[] {
	return after.filter(({ kind, label, days }) => {
		const old = find(before, kind, label);
		return old === undefined || days < old.days;
	});
}
