/* The log to take away: all of it with its proof, or what a search has found; and how to check it. */
import { useState } from "react";
import { useApi } from "../api/hooks";
import { type Key, T } from "../i18n";
import { Button } from "../ui/button";
import { ErrorBox } from "../ui/states";
import type { Search } from "./logSearch";

/** Of events in one file of lines, page by page; tables come as long as they are. */
const FOUND_MAX = 10_000;

type Makers = typeof import("./logDownload");

interface Download {
	label: Key;
	name: string;
	make: (makers: Makers) => Promise<Blob>;
}

export function LogDownloads({ search }: { search: Search }) {
	const [busy, setBusy] = useState<string>();
	const [error, setError] = useState<unknown>();
	const log = useApi("/v1/audit/log/key");
	const today = new Date().toISOString().slice(0, 10);
	const downloads: Download[] = [
		{
			label: "audit.downloadAll",
			name: `audit-log-${today}.txt`,
			make: ({ wholeLog }) => wholeLog(),
		},
		{
			label: "audit.downloadAllTable",
			name: `audit-log-${today}.csv`,
			make: ({ wholeTable }) => wholeTable(),
		},
		{
			label: "audit.downloadFound",
			name: `audit-found-${today}.txt`,
			make: ({ foundProven }) => foundProven(search, FOUND_MAX),
		},
		{
			label: "audit.downloadTable",
			name: `audit-found-${today}.csv`,
			make: ({ foundTable }) => foundTable(search),
		},
	];
	const start = async ({ name, make }: Download) => {
		setBusy(name);
		setError(undefined);
		try {
			const makers = await import("./logDownload"); // when it is wanted: few ever do
			makers.save(name, await make(makers));
		} catch (e) {
			setError(e);
		}
		setBusy(undefined);
	};
	return (
		<details className="panel">
			<summary>
				<T k="audit.downloads" />
			</summary>
			<p className="actions">
				{downloads.map((download) => (
					<Button
						key={download.name}
						busy={busy === download.name}
						disabled={busy !== undefined}
						onClick={() => start(download)}
					>
						<T k={download.label} />
					</Button>
				))}
			</p>
			{error !== undefined && <ErrorBox error={error} />}
			<p>
				<T k="audit.downloadHint" n={FOUND_MAX} />
			</p>
			<p>
				<T k="audit.verifyHint" />
			</p>
			<pre className="audit-command">
				{(log.data?.keys ?? []).map((key) => `manabiya-verify download --key '${key}' FILE\n`)}
			</pre>
			<p>
				<T k="audit.verifyKey" />
			</p>
		</details>
	);
}
