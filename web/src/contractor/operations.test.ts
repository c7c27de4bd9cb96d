import { describe, expect, it } from "vitest";
import ja from "../i18n/ja.json";
import { OPERATIONS, operationName } from "./operations";

describe("operations in the log", () => {
	it("are found with and without their service", () => {
		expect(operationName("learning_try_create")).toBe("try_create");
		expect(operationName("audit.audit_search")).toBe("audit_search");
		expect(operationName("user_create")).toBe("user_create");
	});
	it("all have a text", () => {
		for (const operation of OPERATIONS) expect(ja).toHaveProperty([`op.${operation}`]);
	});
});
