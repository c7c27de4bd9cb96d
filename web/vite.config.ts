/// <reference types="vitest/config" />
import { defineConfig } from "vite";

// Nothing is inlined: the content security policy allows neither inline scripts nor inline styles.
export default defineConfig({
	base: "/",
	build: {
		target: ["chrome109", "safari16.4", "firefox115"],
		manifest: true,
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		cssCodeSplit: false,
		reportCompressedSize: false,
		rolldownOptions: {
			output: {
				// What every screen needs travels as two files, not ten: the first screen of a class of
				// forty costs requests as much as bytes.
				codeSplitting: {
					groups: [
						{ name: "vendor", test: /node_modules\/(react|react-dom|scheduler|@tanstack)\// },
						{
							name: "base",
							test: /src\/(api|i18n|ui|session\/(session|PasswordAgain|CodeField))\b(?!.*(en|recorded\.ja)\.json)/,
						},
					],
				},
			},
			onLog(level, log, defaultHandler) {
				// "use client" means nothing here; some packages carry it.
				if (log.code !== "MODULE_LEVEL_DIRECTIVE") defaultHandler(level, log);
			},
		},
	},
	test: {
		environment: "node",
		include: ["src/**/*.test.{ts,tsx}"],
		testTimeout: 60_000, // a machine that stands still for a while proves nothing
	},
});
