/* The log of one's own tenant: who did what, when, and whether it succeeded. */
import { useState } from "react";
import { usePages } from "../api/hooks";
import recorded from "../api/recorded.json";
import { endOfDay, exactTime, startOfDay } from "../format/time";
import { T, t } from "../i18n";
import { type Language, language } from "../i18n/language";
import { Button } from "../ui/button";
import { Form, type Option, SelectField, TextField, text } from "../ui/form";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";
import { type LogRow, rowsOf } from "./access";
import { LogDownloads } from "./LogDownloads";
import type { Search as Filter } from "./logDownload";
import { useNames } from "./names";

const PAGE_SIZE = 50;
const VERBS = [
	"create",
	"read",
	"update",
	"delete",
	"logon",
	"logoff",
	"enable",
	"disable",
	"assign",
	"revoke",
] as const;
const LABELS = ["I", "II", "III", "IV"] as const;

/** What the contract says that the log records, calls and jobs, in the reader's language. */
const TITLES: Record<string, Record<Language, string>> = recorded;

/** An operation in words, or its name when it is a newer one. */
function titleOf(operation: string): string {
	return TITLES[operation]?.[language()] ?? operation;
}

function recordedOperations(): Option[] {
	const options = Object.keys(TITLES).map((value) => ({ value, text: titleOf(value) }));
	return options.sort((a, b) => a.text.localeCompare(b.text, language()));
}

/** A readable line. */
function describe(row: LogRow): string {
	if (row.operation === "gateway.access_lost") return t("audit.accessLost");
	return row.text ?? titleOf(row.operation);
}

interface EventRowProps {
	event: LogRow;
	name?: string;
	onActor: (actorId: string) => void;
}

function EventRow({ event, name, onActor }: EventRowProps) {
	const isGood = event.outcome === "success";
	const actor = name ?? (event.actorId ? event.actorId.slice(-12) : t("audit.nobody"));
	return (
		<li className="audit-event">
			<time dateTime={event.time}>{exactTime(event.time)}</time>
			<p className="audit-text">
				{event.actorId ? (
					<button
						type="button"
						className="link"
						title={event.actorId}
						onClick={() => onActor(event.actorId ?? "")}
					>
						{actor}
					</button>
				) : (
					<span>{actor}</span>
				)}
				<span>{describe(event)}</span>
				<span className={`tag ${isGood ? "good" : "bad"}`}>
					<Icon name={isGood ? "check" : "warn"} />
					<T k={isGood ? "audit.success" : "audit.failure"} />
				</span>
			</p>
			<details>
				<summary>
					<T k="audit.raw" />
				</summary>
				<p className="small">
					<T k="audit.sequence" n={event.sequence} />
				</p>
				<pre>{event.line}</pre>
			</details>
		</li>
	);
}

function FilterForm({ filter, onFilter }: { filter: Filter; onFilter: (next: Filter) => void }) {
	const apply = (data: FormData) => {
		const from = text(data, "from");
		const until = text(data, "until");
		onFilter({
			from: from && startOfDay(from),
			until: until && endOfDay(until),
			operation: text(data, "operation"),
			outcome: text(data, "outcome") as Filter["outcome"],
			actorId: filter.actorId,
			objectId: text(data, "objectId"),
			requestId: text(data, "requestId"),
			verb: text(data, "verb") as Filter["verb"],
			label: text(data, "label") as Filter["label"],
			kind: text(data, "kind") as Filter["kind"],
		});
	};
	return (
		<search className="panel">
			<Form label={t("audit.filter")} onSubmit={apply}>
				<div className="form-row">
					<TextField name="from" label="audit.from" type="date" optional />
					<TextField name="until" label="audit.until" type="date" optional />
					<SelectField
						name="operation"
						label="audit.operation"
						optional
						blank="common.all"
						options={recordedOperations()}
					/>
					<SelectField
						name="verb"
						label="audit.verb"
						optional
						blank="common.all"
						options={VERBS.map((value) => ({ value, text: t(`audit.verb.${value}`) }))}
					/>
					<SelectField
						name="label"
						label="audit.label"
						optional
						blank="common.all"
						options={LABELS.map((value) => ({ value, text: value }))}
					/>
					<TextField name="objectId" label="audit.objectId" maxLength={64} optional />
					<TextField name="requestId" label="audit.requestId" maxLength={36} optional />
					<SelectField
						name="outcome"
						label="audit.outcome"
						optional
						blank="common.all"
						options={[
							{ value: "success", text: t("audit.success") },
							{ value: "failure", text: t("audit.failure") },
						]}
					/>
					<SelectField
						name="kind"
						label="audit.kind"
						optional
						blank="audit.activity"
						options={[
							{ value: "access", text: t("audit.access") },
							{ value: "all", text: t("audit.everything") },
						]}
					/>
				</div>
				<Button look="primary" type="submit" icon="search">
					<T k="audit.search" />
				</Button>
			</Form>
		</search>
	);
}

export function AuditPage() {
	const [filter, setFilter] = useState<Filter>({});
	const events = usePages("/v1/audit/events", { query: { ...filter, limit: PAGE_SIZE } });
	const names = useNames(rowsOf(events.data ?? [], filter).map(({ actorId }) => actorId));
	return (
		<Page title={<T k="nav.audit" />} name={t("nav.audit")} wide>
			<FilterForm filter={filter} onFilter={setFilter} />
			<LogDownloads search={filter} titleOf={titleOf} />
			{filter.actorId && (
				<p className="actions">
					<span>
						<T k="audit.onlyActor" name={names.get(filter.actorId) ?? filter.actorId} />
					</span>
					<Button icon="close" onClick={() => setFilter({ ...filter, actorId: undefined })}>
						<T k="audit.allActors" />
					</Button>
				</p>
			)}
			<Pages of={events} empty="audit.none">
				{(items) => (
					<ol className="audit" aria-label={t("nav.audit")}>
						{rowsOf(items, filter).map((event) => (
							<EventRow
								key={event.id}
								event={event}
								name={event.actorId && names.get(event.actorId)}
								onActor={(actorId) => setFilter({ ...filter, actorId })}
							/>
						))}
					</ol>
				)}
			</Pages>
		</Page>
	);
}
