/*
 * Everything of the contract as one archive: ask for it, see how far it is, fetch it, delete it. The
 * browser saves it by itself, however large it is, and goes on when the line breaks.
 */
import { type ReactNode, useState } from "react";
import { apiFile } from "../api/client";
import { useApi, useWrite } from "../api/hooks";
import type { Export } from "../api/types";
import { dateTime, fileSize } from "../format/time";
import { addTexts, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Page, Section } from "../ui/page";
import { Alert, Async, ErrorBox } from "../ui/states";
import ja from "./export.ja.json";

addTexts({ ja, en: {} }); // in English all come at once

const LOOK_AGAIN_MS = 2000;

/** Asks for one byte, so that a password that is wanted is asked for on this page, not in the file. */
const prove = (path: string) => apiFile(path, { Range: "bytes=0-0" });

function Fetch({ made }: { made: Export }) {
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();
	const start = async () => {
		const link = document.createElement("a");
		link.href = `/v1/exports/${made.id}/archive`;
		link.download = `manabiya-${made.requestedAt.slice(0, 10)}.tar`;
		setBusy(true);
		setError(undefined);
		try {
			await prove(link.href);
			link.click();
		} catch (e) {
			setError(e);
		}
		setBusy(false);
	};
	return (
		<>
			<p>
				<T
					k="export.ready"
					size={fileSize(made.size ?? 0)}
					until={dateTime(made.expiresAt ?? made.requestedAt)}
				/>
			</p>
			{error !== undefined && <ErrorBox error={error} />}
			<div className="actions">
				<Button look="primary" large busy={isBusy} onClick={start}>
					<T k="export.fetch" />
				</Button>
			</div>
			<p>
				<T k="export.verify" />
			</p>
			<pre className="audit-command">manabiya-verify archive --key KEY FILE</pre>
		</>
	);
}

function Making({ made }: { made: Export }) {
	const all = made.steps + made.videos;
	const done = made.step + made.videosDone;
	return (
		<>
			<progress max={all} value={done} aria-label={t("export.progress")} />
			<p role="status">
				<T k="export.stay" />
			</p>
		</>
	);
}

function Remove({ made }: { made: Export }) {
	const remove = useWrite("delete", "/v1/exports/{exportId}", ["/v1/exports"]);
	return (
		<>
			{remove.error && <ErrorBox error={remove.error} />}
			<div className="actions">
				<Button
					icon="close"
					busy={remove.isPending}
					onClick={() => remove.mutate({ params: { exportId: made.id } })}
				>
					<T k={made.state === "working" ? "export.stop" : "export.delete"} />
				</Button>
			</div>
		</>
	);
}

function Begin() {
	const begin = useWrite("post", "/v1/exports", ["/v1/exports"]);
	return (
		<>
			{begin.error && <ErrorBox error={begin.error} />}
			<div className="actions">
				<Button look="primary" large busy={begin.isPending} onClick={() => begin.mutate({})}>
					<T k="export.begin" />
				</Button>
			</div>
		</>
	);
}

function Current({ made }: { made: Export }) {
	return (
		<Section title={<T k={`export.state.${made.state}`} />}>
			<p className="small">
				<T k="export.since" at={dateTime(made.requestedAt)} />
			</p>
			{made.state === "working" && <Making made={made} />}
			{made.state === "ready" && <Fetch made={made} />}
			{made.state === "invalid" ? (
				<>
					<Alert tone="warning">
						<T k="export.invalid" />
					</Alert>
					<Begin />
				</>
			) : (
				<Remove made={made} />
			)}
		</Section>
	);
}

export function ExportPage({ children }: { children?: ReactNode }) {
	const exports = useApi("/v1/exports", { every: LOOK_AGAIN_MS });
	return (
		<Page title={<T k="nav.export" />} name={t("nav.export")}>
			{children}
			<p>
				<T k="export.text" />
			</p>
			<Async of={exports}>
				{({ items: [latest] }) => (latest ? <Current made={latest} /> : <Begin />)}
			</Async>
		</Page>
	);
}
