/*
 * Users from a CSV file in three steps: choose, check without changing anything, apply. The secrets
 * of new users are shown once, at the end.
 */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { refresh } from "../api/hooks";
import type { ImportResult } from "../api/types";
import { fileSize } from "../format/time";
import { addTexts, T, t } from "../i18n";
import { SecretCards } from "../shared/SecretCards";
import { Button, ButtonLink } from "../ui/button";
import { Page, Section, TableFrame } from "../ui/page";
import { Alert, Empty, ErrorBox } from "../ui/states";
import ja from "./import.ja.json";

/* These texts come with the page; in English all come at once. */
addTexts({ ja, en: {} });

const LARGEST_BYTES = 4_194_304; // the server's limit

function ErrorTable({ errors }: { errors: ImportResult["errors"] }) {
	return (
		<TableFrame label={t("import.errors")}>
			<table>
				<thead>
					<tr>
						<th scope="col">
							<T k="import.row" />
						</th>
						<th scope="col">
							<T k="import.column" />
						</th>
						<th scope="col">
							<T k="import.detail" />
						</th>
					</tr>
				</thead>
				<tbody>
					{errors.map((error) => (
						<tr key={`${error.row}-${error.column}-${error.code}`}>
							<td className="number">{error.row}</td>
							<td>{error.column}</td>
							<td>{error.detail}</td>
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}

const COLUMNS = [
	["username", "利用者ID"],
	["role", "ロール"],
	["familyName", "姓"],
	["givenName", "名"],
	["kanaFamilyName", "せい"],
	["kanaGivenName", "めい"],
	["grade", "学年"],
	["school", "学校"],
	["class", "クラス"],
] as const;
const REQUIRED = 6; // the first ones

function Columns() {
	return (
		<TableFrame label={t("import.columns")}>
			<table>
				<thead>
					<tr>
						<th scope="col">
							<T k="import.columnName" />
						</th>
						<th scope="col">
							<T k="import.columnMeaning" />
						</th>
					</tr>
				</thead>
				<tbody>
					{COLUMNS.map(([name, ja], i) => (
						<tr key={name}>
							<th scope="row">
								{ja} / <code>{name}</code>{" "}
								{i < REQUIRED && (
									<span className="tag">
										<T k="import.columnRequired" />
									</span>
								)}
							</th>
							<td>
								<T k={`import.column.${name}`} />
							</td>
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}

function Counts({ result }: { result: ImportResult }) {
	return (
		<div className="figures">
			{(["rows", "creates", "updates"] as const).map((name) => (
				<p key={name} className="figure">
					<strong>{result[name]}</strong>
					<T k={`import.${name}`} />
				</p>
			))}
			<p className="figure">
				<strong>{result.errors.length}</strong>
				<T k="import.errorCount" />
			</p>
		</div>
	);
}

interface CheckedProps {
	result: ImportResult;
	isBusy: boolean;
	onApply: () => void;
}

function Checked({ result, isBusy, onApply }: CheckedProps) {
	const isGood = result.errors.length === 0 && result.rows > 0;
	return (
		<Section title={<T k="import.checked" />}>
			<Counts result={result} />
			{isGood ? (
				<>
					<Alert tone="success">
						<T k="import.good" />
					</Alert>
					<div className="actions">
						<Button look="primary" large icon="check" busy={isBusy} onClick={onApply}>
							<T k="import.apply" />
						</Button>
					</div>
				</>
			) : (
				<>
					<Alert>
						<T k="import.bad" />
					</Alert>
					{result.errors.length > 0 ? (
						<ErrorTable errors={result.errors} />
					) : (
						<Empty k="import.noRows" />
					)}
				</>
			)}
		</Section>
	);
}

export function ImportPage() {
	const client = useQueryClient();
	const [file, setFile] = useState<File>();
	const [checked, setChecked] = useState<ImportResult>();
	const [applied, setApplied] = useState<ImportResult>();
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();

	const send = async (chosen: File, dryRun: boolean) => {
		setBusy(true);
		setError(undefined);
		try {
			const raw = { type: "text/csv", data: chosen };
			const result = await api("post", "/v1/imports/users", { query: { dryRun }, raw });
			if (result.applied) {
				setApplied(result);
				await refresh(client, "/v1/users", "/v1/classes", "/v1/orgs");
			} else setChecked(result);
		} catch (e) {
			setError(e);
		} finally {
			setBusy(false);
		}
	};
	const choose = (chosen: File) => {
		setFile(chosen);
		setChecked(undefined);
		setApplied(undefined);
		setError(undefined);
		if (chosen.size <= LARGEST_BYTES) send(chosen, true);
	};
	return (
		<Page
			title={<T k="nav.import" />}
			name={t("nav.import")}
			side={
				<ButtonLink href="/import/archive">
					<T k="import.archive" />
				</ButtonLink>
			}
			wide
		>
			{applied ? (
				<Section title={<T k="import.applied" />}>
					<Alert tone="success">
						<T k="import.appliedText" creates={applied.creates} updates={applied.updates} />
					</Alert>
					{applied.secrets.length > 0 && (
						<SecretCards secrets={applied.secrets} onDone={() => setApplied(undefined)} />
					)}
					<div className="actions">
						<ButtonLink href="/users" icon="user">
							<T k="nav.users" />
						</ButtonLink>
					</div>
				</Section>
			) : (
				<>
					<p>
						<T k="import.text" />
					</p>
					<details className="fold">
						<summary>
							<T k="import.columns" />
						</summary>
						<p>
							<T k="import.columnsText" />
						</p>
						<Columns />
					</details>
					<div className="actions">
						<label className="button primary large file-button">
							<input
								type="file"
								accept=".csv,text/csv"
								disabled={isBusy}
								onChange={(event) => {
									const chosen = event.target.files?.[0];
									if (chosen) choose(chosen);
									event.target.value = "";
								}}
							/>
							<T k="import.choose" />
						</label>
						{file && (
							<span>
								{file.name}（{fileSize(file.size)}）
							</span>
						)}
					</div>
					{file && file.size > LARGEST_BYTES && (
						<Alert>
							<T k="import.tooLarge" />
						</Alert>
					)}
					{isBusy && !checked && (
						<p className="loading" role="status">
							<span className="spinner" aria-hidden="true" />
							<T k="import.checking" />
						</p>
					)}
					{error !== undefined && <ErrorBox error={error} />}
					{checked && file && (
						<Checked result={checked} isBusy={isBusy} onApply={() => send(file, false)} />
					)}
				</>
			)}
		</Page>
	);
}
