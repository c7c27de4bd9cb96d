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
			onLog(level, log, defaultHandler) {
				// "use client" means nothing here; some packages carry it.
				if (log.code !== "MODULE_LEVEL_DIRECTIVE") defaultHandler(level, log);
			},
		},
	},
	test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
