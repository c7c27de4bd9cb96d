/* Users who are to be deleted, and those who were erased, with the certificate of that. */
import { Link } from "wouter";
import { address } from "../api/client";
import { usePages } from "../api/hooks";
import type { Item } from "../api/types";
import { dateTime } from "../format/time";
import { addTexts, T, t } from "../i18n";
import { Page, TableFrame } from "../ui/page";
import { Pages } from "../ui/states";
import ja from "./erasure.ja.json";
import { useNames } from "./names";

addTexts({ ja, en: {} }); // in English all come at once

const COLUMNS = [
	"erasure.user",
	"erasure.requestedAt",
	"erasure.state",
	"erasure.certificate",
] as const;

type Erasure = Item<"/v1/erasures">;

function Row({ erasure, name }: { erasure: Erasure; name?: string }) {
	const { id, userId, requestedAt, erasedAt, eraseAt, state, waitsFor } = erasure;
	const at = erasedAt ?? eraseAt; // neither: a legal hold stops it
	return (
		<tr>
			<th scope="row">
				{state === "tobedeleted" ? (
					<Link href={`/users/${userId}`} className="table-link">
						{name ?? userId.slice(-12)}
					</Link>
				) : (
					userId
				)}
			</th>
			<td>{dateTime(requestedAt)}</td>
			<td>
				{at ? <T k={`erasure.${state}`} at={dateTime(at)} /> : <T k="erasure.held" />}
				{waitsFor && state === "erasing" && (
					<p className="hint">
						<T k="erasure.waitsFor" replicas={waitsFor} />
					</p>
				)}
			</td>
			<td>
				{state === "certified" && (
					<a
						href={address("/v1/erasures/{erasureId}/certificate", { erasureId: id })}
						download={`certificate-${userId}.txt`}
					>
						<T k="erasure.certificate" />
					</a>
				)}
			</td>
		</tr>
	);
}

export function ErasuresPage() {
	const erasures = usePages("/v1/erasures");
	const waiting = (erasures.data ?? []).filter(({ state }) => state === "tobedeleted");
	const names = useNames(waiting.map(({ userId }) => userId));
	return (
		<Page
			title={<T k="erasure.title" />}
			name={t("erasure.title")}
			wide
			back={{ href: "/users", label: "nav.users" }}
		>
			<p className="hint">
				<T k="erasure.text" />
			</p>
			<Pages of={erasures} empty="erasure.none">
				{(items) => (
					<TableFrame label={t("erasure.title")}>
						<table>
							<thead>
								<tr>
									{COLUMNS.map((column) => (
										<th key={column} scope="col">
											<T k={column} />
										</th>
									))}
								</tr>
							</thead>
							<tbody>
								{items.map((erasure) => (
									<Row key={erasure.id} erasure={erasure} name={names.get(erasure.userId)} />
								))}
							</tbody>
						</table>
					</TableFrame>
				)}
			</Pages>
		</Page>
	);
}
