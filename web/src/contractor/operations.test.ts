import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import ja from "../i18n/ja.json";
import { OPERATIONS } from "./operations";

/** What services do by themselves, with nobody's call. */
const JOBS = ["provisioning.contract_erase", "provisioning.contract_step", "provisioning.user_erase"];

const CONTRACTS = ["auth", "provisioning", "learning", "notification", "audit"];

/** What the contracts say is recorded: an operationId is followed by its x-audit. */
function audited(service: string): string[] {
	const url = new URL(`../../../proto/${service}.yaml`, import.meta.url);
	const found: string[] = [];
	let operation = "";
	for (const line of readFileSync(url, "utf8").split("\n")) {
		operation = /operationId: (\w+)/.exec(line)?.[1] ?? operation;
		if (/^\s+x-audit:/.test(line)) found.push(`${service}.${operation}`);
	}
	return found;
}

describe("operations in the log", () => {
	it("all have a text", () => {
		for (const { label } of OPERATIONS) expect(ja).toHaveProperty([label]);
	});
	it("are those that the contracts record", () => {
		const listed = OPERATIONS.map(({ operation }) => operation).sort();
		expect(listed).toEqual([...CONTRACTS.flatMap(audited), ...JOBS].sort());
	});
});
