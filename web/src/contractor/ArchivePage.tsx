/*
 * An archive of another installation: send it, have it checked, take it in, and issue one-time
 * secrets for those who came with it. The server does the work; this page says how far it is.
 */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { ApiError, api } from "../api/client";
import { refresh, useApi, useWrite } from "../api/hooks";
import type { Import, ImportState, IssuedSecret } from "../api/types";
import { addTexts, type Key, T, t } from "../i18n";
import { ProgressBar } from "../media/ProgressBar";
import { SecretCards } from "../shared/SecretCards";
import { Button } from "../ui/button";
import { Form, TextField, text } from "../ui/form";
import { Page, Section, TableFrame } from "../ui/page";
import { Alert, Async, ErrorBox } from "../ui/states";
import ja from "./archive.ja.json";

addTexts({ ja, en: {} }); // in English all come at once

const LOOK_AGAIN_MS = 2000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 16000];
const CHUNK_BYTES = 8 * 1024 * 1024;

/* ---- sending ---- */

interface Sent {
	sent: number;
	total: number;
}

/** Sends from where the server has it; `begun` is an import that was begun before. Ends with the page that uses it. */
function useSending() {
	const client = useQueryClient();
	const stop = useRef<AbortController>(undefined);
	const [progress, setProgress] = useState<Sent>();
	const [error, setError] = useState<unknown>();
	useEffect(() => () => stop.current?.abort(), []);
	const send = async (file: File, begun: ImportState | undefined) => {
		stop.current = new AbortController();
		setError(undefined);
		setProgress({ sent: begun?.received ?? 0, total: file.size });
		try {
			const { transfer } = await import("../media/transfer");
			await transfer(file, {
				endpoint: "/v1/imports",
				uploadUrl: begun && `/v1/imports/${begun.id}`,
				chunkBytes: CHUNK_BYTES,
				signal: stop.current.signal,
				retryMs: RETRY_MS,
				onProgress: (sent, total) => setProgress({ sent, total }),
			});
		} catch (e) {
			if (e instanceof ApiError) setError(e);
		} finally {
			setProgress(undefined);
			await refresh(client, "/v1/imports");
		}
	};
	return { send, progress, error, pause: () => stop.current?.abort() };
}

interface SendingProps {
	sending: ReturnType<typeof useSending>;
	begun?: ImportState;
}

function Sending({ sending, begun }: SendingProps) {
	const { send, progress, error, pause } = sending;
	const [isOther, setOther] = useState(false);
	const choose = (file: File) => {
		const other = begun !== undefined && begun.size !== file.size;
		setOther(other);
		if (!other) send(file, begun);
	};
	if (progress)
		return (
			<>
				<ProgressBar {...progress} />
				<div className="actions">
					<Button icon="pause" onClick={pause}>
						<T k="upload.pause" />
					</Button>
				</div>
			</>
		);
	return (
		<>
			{begun && (
				<>
					<ProgressBar sent={begun.received} total={begun.size} />
					<p>
						<T k="archive.again" />
					</p>
				</>
			)}
			{isOther && (
				<Alert>
					<T k="archive.otherSize" />
				</Alert>
			)}
			{error !== undefined && <ErrorBox error={error} />}
			<div className="actions">
				<label className="button primary large file-button">
					<input
						type="file"
						accept=".tar,application/x-tar"
						onChange={(event) => {
							const file = event.target.files?.[0];
							if (file) choose(file);
							event.target.value = "";
						}}
					/>
					<T k="archive.choose" />
				</label>
			</div>
		</>
	);
}

/* ---- the report ---- */

function Table({ label, heads, rows }: { label: Key; heads: Key[]; rows: (string | number)[][] }) {
	return (
		<TableFrame label={t(label)}>
			<table>
				<thead>
					<tr>
						{heads.map((head) => (
							<th key={head} scope="col">
								<T k={head} />
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{rows.map((row) => (
						<tr key={row.join()}>
							{row.map((cell, i) => (
								<td key={heads[i]} className={typeof cell === "number" ? "number" : undefined}>
									{cell}
								</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}

function Found({ report }: { report: Import }) {
	return (
		<>
			{report.signature && (
				<Alert tone={report.signature === "valid" ? "success" : "warning"}>
					<p>
						<T k={`archive.signature.${report.signature}`} />
					</p>
					<p className="small">
						<T k="archive.source" log={report.sourceLog ?? ""} at={report.madeAt ?? ""} />
					</p>
				</Alert>
			)}
			{report.faults.length > 0 && (
				<>
					<Alert>
						<T k="archive.bad" n={report.faultCount} />
					</Alert>
					<Table
						label="archive.faults"
						heads={["archive.entry", "archive.line", "archive.detail"]}
						rows={report.faults.map((fault) => [
							fault.entry,
							fault.line ?? "",
							`${fault.detail} ${fault.pointer ?? ""}`,
						])}
					/>
				</>
			)}
			{report.counts.length > 0 && (
				<Table
					label="archive.counts"
					heads={["archive.type", "archive.lines", "archive.written"]}
					rows={report.counts.map(({ type, lines, written }) => [
						t(`archive.type.${type}` as Key),
						lines,
						written,
					])}
				/>
			)}
		</>
	);
}

/* ---- what can be done ---- */

function Check({ id, again }: { id: string; again: boolean }) {
	const check = useWrite("post", "/v1/imports/{importId}/check", ["/v1/imports"]);
	return (
		<Form
			error={check.error ?? undefined}
			onSubmit={(data) =>
				check.mutate({ params: { importId: id }, body: { verifierKey: text(data, "verifierKey") } })
			}
		>
			<TextField
				name="verifierKey"
				label="archive.verifierKey"
				hint="archive.verifierHint"
				maxLength={300}
				optional
			/>
			<div className="actions">
				<Button type="submit" look={again ? "secondary" : "primary"} busy={check.isPending}>
					<T k={again ? "archive.recheck" : "archive.check"} />
				</Button>
			</div>
		</Form>
	);
}

function Apply({ id, label }: { id: string; label: Key }) {
	const apply = useWrite("post", "/v1/imports/{importId}/apply", ["/v1/imports"]);
	return (
		<>
			{apply.error && <ErrorBox error={apply.error} />}
			<div className="actions">
				<Button
					look="primary"
					large
					icon="check"
					busy={apply.isPending}
					onClick={() => apply.mutate({ params: { importId: id } })}
				>
					<T k={label} />
				</Button>
			</div>
		</>
	);
}

/** Page after page, so that the cards of all can be printed at once. */
async function issueAll(): Promise<IssuedSecret[]> {
	const secrets: IssuedSecret[] = [];
	for (let cursor: string | undefined, isFirst = true; isFirst || cursor; isFirst = false) {
		const page = await api("post", "/v1/users/arrival-secrets", { query: { cursor } });
		secrets.push(...page.items);
		cursor = page.nextCursor;
	}
	return secrets;
}

function Secrets() {
	const [secrets, setSecrets] = useState<IssuedSecret[]>();
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();
	const issue = async () => {
		setBusy(true);
		setError(undefined);
		try {
			setSecrets(await issueAll());
		} catch (e) {
			setError(e);
		} finally {
			setBusy(false);
		}
	};
	if (secrets && secrets.length > 0)
		return <SecretCards secrets={secrets} onDone={() => setSecrets(undefined)} />;
	return (
		<>
			<Alert tone="success">
				<T k={secrets ? "archive.nobody" : "archive.applied"} />
			</Alert>
			<p>
				<T k="archive.issueText" />
			</p>
			{error !== undefined && <ErrorBox error={error} />}
			<div className="actions">
				<Button look="primary" icon="lock" busy={isBusy} onClick={issue}>
					<T k="archive.issue" />
				</Button>
			</div>
		</>
	);
}

function Drop({ report }: { report: Import }) {
	const drop = useWrite("delete", "/v1/imports/{importId}", ["/v1/imports"]);
	return (
		<>
			{drop.error && <ErrorBox error={drop.error} />}
			<div className="actions">
				<Button
					icon="close"
					busy={drop.isPending}
					onClick={() => drop.mutate({ params: { importId: report.id } })}
				>
					<T k={report.state === "applied" ? "archive.close" : "archive.drop"} />
				</Button>
			</div>
		</>
	);
}

function isAtWork(state: Import["state"]): boolean {
	return state === "checking" || state === "applying";
}

function Report({ report, sending }: { report: Import } & SendingProps) {
	const { id, state } = report;
	return (
		<Section title={<T k={`archive.state.${state}`} />}>
			{isAtWork(state) && (
				<>
					<ProgressBar sent={(report.size * report.done) / 100} total={report.size} />
					<p role="status">
						<T k="archive.stay" />
					</p>
				</>
			)}
			{state === "uploading" && <Sending sending={sending} begun={report} />}
			{state === "checked" && (
				<Alert tone="success">
					<T k="archive.good" />
				</Alert>
			)}
			<Found report={report} />
			{state === "checked" && <Apply id={id} label="archive.apply" />}
			{state === "stopped" && <Apply id={id} label="archive.goOn" />}
			{state === "applied" && <Secrets />}
			{(state === "uploaded" || state === "refused" || state === "checked") && (
				<Check id={id} again={state !== "uploaded"} />
			)}
			{!isAtWork(state) && <Drop report={report} />}
		</Section>
	);
}

function Latest({ begun, sending }: Required<SendingProps>) {
	const params = { importId: begun.id };
	const every = isAtWork(begun.state) ? LOOK_AGAIN_MS : undefined;
	const report = useApi("/v1/imports/{importId}", { params, every });
	const client = useQueryClient();
	const state = report.data?.state;
	useEffect(() => {
		// One of the two was read before the other changed.
		if (state && state !== begun.state)
			refresh(client, "/v1/imports", "/v1/imports/{importId}", "/v1/users");
	}, [client, state, begun.state]);
	return (
		<Async of={report}>
			{(answer) => <Report key={answer.state} report={answer} sending={sending} />}
		</Async>
	);
}

export function ArchivePage() {
	const imports = useApi("/v1/imports");
	const sending = useSending(); // here: it goes on when the list, read again meanwhile, shows what it began
	return (
		<Page
			title={<T k="archive.title" />}
			name={t("archive.title")}
			back={{ href: "/import", label: "nav.import" }}
			wide
		>
			<p>
				<T k="archive.text" />
			</p>
			<Async of={imports}>
				{({ items: [latest] }) =>
					latest ? (
						<Latest key={latest.id} begun={latest} sending={sending} />
					) : (
						<Sending sending={sending} />
					)
				}
			</Async>
		</Page>
	);
}
