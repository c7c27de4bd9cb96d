import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import type { Reason } from "../api/client";
import type { Self } from "../api/types";
import ja from "../i18n/ja.json";
import { plain } from "../i18n/ruby";
import { PasswordDialog } from "./PasswordAgain";

const self = { username: "kanri", tenantCode: "minami" } as Self;

function shown(reason: Reason): string {
	return renderToStaticMarkup(
		<QueryClientProvider client={new QueryClient()}>
			<PasswordDialog self={self} reason={reason} onDone={() => {}} />
		</QueryClientProvider>,
	);
}

describe("the password once more", () => {
	it("says whose it is and what it is for", () => {
		expect(shown("stepUp")).toContain(ja["stepUp.text"].split("{name}")[1]);
		expect(shown("stepUp")).toContain("kanri");
		expect(shown("login")).toContain(plain(ja["login.submit"]));
	});
	it("lets a password manager fill it in", () => {
		expect(shown("stepUp")).toContain('autoComplete="current-password"');
		expect(shown("stepUp")).toMatch(/<input[^>]* type="password"/);
	});
	it("can be given up without leaving the page, but only where the session goes on", () => {
		expect(shown("stepUp")).toContain(ja["common.cancel"]);
		expect(shown("login")).not.toContain(ja["common.cancel"]);
	});
});
