import { describe, expect, it } from "vitest";
import type { Contract } from "../api/types";
import { actionsOf } from "./ContractPage";

const contract = (state: Contract["state"], holdSince?: string) =>
	actionsOf({ state, holdSince } as Contract).join(" ");

describe("what an operator may do to a contract", () => {
	it("follows from its state", () => {
		expect(contract("active")).toBe("suspend close hold");
		expect(contract("suspended")).toBe("restore close hold");
		expect(contract("closed")).toBe("restore hold");
		expect(contract("grace", "2026-11-26T00:00:00.000Z")).toBe("restore release");
	});
	it("is nothing once it is being purged", () => {
		expect(contract("purging")).toBe("");
		expect(contract("erased")).toBe("");
	});
});
