import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { newClient } from "./api/cache";
import { App } from "./app";
import { loadCatalogue } from "./i18n";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/screens.css";

const client = newClient();

await loadCatalogue().catch(() => {}); // then in Japanese, rather than not at all
const root = document.getElementById("root");
if (root) {
	createRoot(root).render(
		<StrictMode>
			<QueryClientProvider client={client}>
				<App />
			</QueryClientProvider>
		</StrictMode>,
	);
}
