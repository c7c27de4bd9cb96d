import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import main from "../i18n/ja.json";
import { plain } from "../i18n/ruby";
import { CodeField } from "../session/CodeField";
import ja from "./ja.json";
import QrCode, { pathOf } from "./QrCode";
import { Confirm, grouped, RecoveryCodes } from "./SecondFactor";

const SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const URI = `otpauth://totp/Manabiya:kanri@minami?secret=${SECRET}&issuer=Manabiya`;

const shown = (what: React.ReactNode) =>
	renderToStaticMarkup(
		<QueryClientProvider client={new QueryClient()}>{what}</QueryClientProvider>,
	);

describe("the second step of a login", () => {
	it("takes a code from an app and has telephones offer it", () => {
		const html = shown(<CodeField />);
		expect(html).toContain('autoComplete="one-time-code"');
		expect(html).toContain(`aria-label="${plain(main["login.code"])}"`);
		expect(html).not.toContain('type="password"');
	});
});

describe("setting it up", () => {
	it("shows the secret to type as well as to scan", () => {
		const html = shown(
			<Confirm enrolment={{ secret: SECRET, uri: URI }} onCodes={() => {}} onCancel={() => {}} />,
		);
		expect(html).toContain("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
		expect(html).toContain(`href="${URI.replaceAll("&", "&amp;")}"`);
	});
	it("groups by four and adds nothing at the end", () => {
		expect(grouped("ABCDEFGH")).toBe("ABCD EFGH");
		expect(grouped("ABCDE")).toBe("ABCD E");
	});
	it("draws a code that can be read", async () => {
		const { default: decodeQR } = await import("qr/decode.js");
		const { default: encodeQR } = await import("qr");
		const modules = encodeQR(URI, "raw", { border: 4 });
		const scale = 4;
		const width = modules.length * scale;
		const data = new Uint8Array(width * width * 4).fill(255);
		for (const [, x, y] of pathOf(modules).matchAll(/M(\d+) (\d+)h/g)) {
			for (let i = 0; i < scale * scale; i++) {
				const row = Number(y) * scale + Math.floor(i / scale);
				const column = Number(x) * scale + (i % scale);
				data.fill(0, 4 * (row * width + column), 4 * (row * width + column) + 3);
			}
		}
		expect(decodeQR({ width, height: width, data })).toBe(URI);
		expect(shown(<QrCode text={URI} name="QR" />)).toContain('role="img"');
	});
	it("shows every recovery code and says that it is the only time", () => {
		const html = shown(<RecoveryCodes codes={["aaaa-bbbb", "cccc-dddd"]} onDone={() => {}} />);
		expect(html).toContain("aaaa-bbbb");
		expect(html).toContain("cccc-dddd");
		expect(html).toContain(plain(ja["secondFactor.codesOnce"]));
	});
});
