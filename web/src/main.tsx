import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { App } from "./app";
import { loadCatalogue } from "./i18n";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/screens.css";

const client = new QueryClient({
	defaultOptions: {
		queries: {
			// What a person may not see or what is not there will not appear by asking again.
			retry: (count, error) => count < 3 && error instanceof ApiError && error.isTemporary,
			staleTime: 2_000,
			networkMode: "always",
		},
		mutations: { networkMode: "always" },
	},
});

await loadCatalogue();
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
