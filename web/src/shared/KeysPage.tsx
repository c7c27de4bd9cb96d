/* The inventory of cryptography: which algorithms are in use, how old the versions of keys are and
 * how much lies under each; of the own contract, and for the operator of all. */
import type { ReactNode } from "react";
import { useApi, usePages } from "../api/hooks";
import type { Algorithm, Item, Keys } from "../api/types";
import { exactTime } from "../format/time";
import { addTexts, isKey, type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { Page, Section, TableFrame } from "../ui/page";
import { Alert, Async, Pages } from "../ui/states";
import { countOf, type SealedCount, sealedOf } from "./keys";
import ja from "./keys.ja.json";

addTexts({ ja, en: {} }); // in English all come at once

interface TableProps {
	label: Key;
	heads: Key[];
	children: ReactNode;
}

function Table({ label, heads, children }: TableProps) {
	return (
		<Section title={<T k={label} />}>
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
					<tbody>{children}</tbody>
				</table>
			</TableFrame>
		</Section>
	);
}

type Version = NonNullable<Keys["provisioning"]>["versions"][number];

interface VersionsProps {
	versions: Version[];
	rows: SealedCount[];
}

/** The newest on top: it is what everything new is sealed under. */
function Versions({ versions, rows }: VersionsProps) {
	const newest = Math.max(...versions.map(({ version }) => version));
	return (
		<Table label="keys.versions" heads={["keys.version", "keys.madeAt", "keys.count"]}>
			{versions.toReversed().map(({ version, madeAt }) => (
				<tr key={version}>
					<th scope="row">
						{version}{" "}
						{version === newest && (
							<span className="tag good">
								<T k="keys.newest" />
							</span>
						)}
					</th>
					<td>{exactTime(madeAt)}</td>
					<td>
						<T k="keys.items" n={countOf(rows, version)} />
					</td>
				</tr>
			))}
		</Table>
	);
}

/** A column of the database that has no name here yet is shown as it is called there. */
function columnName(column: string): string {
	const key = `keys.column.${column}`;
	return isKey(key) ? t(key) : column;
}

function Sealed({ rows }: { rows: SealedCount[] }) {
	return (
		<Table label="keys.sealed" heads={["keys.what", "keys.version", "keys.count"]}>
			{rows.map((row) => (
				<tr key={[row.column, row.version, row.ofUser].join()}>
					<th scope="row">{columnName(row.column)}</th>
					<td>{row.version}</td>
					<td>
						<T k={row.ofUser ? "keys.itemsOfUsers" : "keys.items"} n={row.count} />
					</td>
				</tr>
			))}
		</Table>
	);
}

function OwnKeys() {
	const keys = useApi("/v1/keys");
	return (
		<Async of={keys}>
			{(answer) => (
				<>
					{answer.partial.length > 0 && (
						<Alert tone="warning">
							<T k="keys.partial" />
						</Alert>
					)}
					{answer.provisioning && (
						<Versions versions={answer.provisioning.versions} rows={sealedOf(answer)} />
					)}
					<Sealed rows={sealedOf(answer)} />
				</>
			)}
		</Async>
	);
}

type TenantVersion = Item<"/v1/keys/versions">["versions"][number];

function stateOf(version: TenantVersion, isNewest: boolean): string {
	const { emptySince, destroyedAt, waitsFor } = version;
	if (destroyedAt) return t("keys.destroyedAt", { time: exactTime(destroyedAt) });
	if (waitsFor) return t("keys.waitsFor", { replicas: waitsFor });
	if (isNewest) return t("keys.newest");
	return emptySince ? t("keys.emptySince", { time: exactTime(emptySince) }) : t("keys.old");
}

function TenantRows({ tenantId, versions }: Item<"/v1/keys/versions">) {
	return versions.map((row, i) => (
		<tr key={row.version}>
			<th scope="row">{tenantId}</th>
			<td>{row.version}</td>
			<td>{row.madeAt ? exactTime(row.madeAt) : "–"}</td>
			<td>
				{row.sealed === undefined || !row.countedAt ? (
					<T k="keys.unknown" />
				) : (
					<T k="keys.itemsAt" n={row.sealed} time={exactTime(row.countedAt)} />
				)}
			</td>
			<td>{stateOf(row, i === versions.length - 1)}</td>
		</tr>
	));
}

/** What contracts' keys are kept under, and since when. */
function Roots() {
	const roots = useApi("/v1/keys/roots");
	return (
		<Async of={roots}>
			{({ items }) => (
				<Table label="keys.roots" heads={["keys.root", "keys.usedSince"]}>
					{items.map(({ name, usedSince, inUse }) => (
						<tr key={name}>
							<th scope="row">
								{name}{" "}
								{inUse && (
									<span className="tag good">
										<T k="keys.newest" />
									</span>
								)}
							</th>
							<td>{exactTime(usedSince)}</td>
						</tr>
					))}
				</Table>
			)}
		</Async>
	);
}

/** All contracts' keys, for the operator: ids and numbers alone. */
function AllKeys() {
	const tenants = usePages("/v1/keys/versions");
	return (
		<Pages of={tenants} empty="keys.none">
			{(items) => (
				<Table
					label="keys.tenants"
					heads={["keys.tenant", "keys.version", "keys.madeAt", "keys.count", "keys.state"]}
				>
					{items.map((tenant) => (
						<TenantRows key={tenant.tenantId} {...tenant} />
					))}
				</Table>
			)}
		</Pages>
	);
}

const parametersOf = ({ figures }: Algorithm) =>
	figures.map(({ unit, value }) => t(`keys.unit.${unit}`, { n: value })).join(", ");

function Algorithms() {
	const algorithms = useApi("/v1/algorithms");
	return (
		<Async of={algorithms}>
			{({ items }) => (
				<Table label="keys.algorithms" heads={["keys.use", "keys.algorithm", "keys.parameters"]}>
					{items.map((row) => (
						<tr key={row.use}>
							<th scope="row">
								<T k={`keys.use.${row.use}`} />
							</th>
							<td>{row.name}</td>
							<td className="written">{parametersOf(row)}</td>
						</tr>
					))}
				</Table>
			)}
		</Async>
	);
}

export function KeysPage() {
	const { role } = useSelf();
	return (
		<Page title={<T k="nav.keys" />} name={t("nav.keys")} wide>
			<p>
				<T k="keys.text" />
			</p>
			{role === "contractor" && <OwnKeys />}
			{role === "operator" && <Roots />}
			{role === "operator" && <AllKeys />}
			<Algorithms />
		</Page>
	);
}
