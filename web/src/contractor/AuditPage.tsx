/* The log of one's own tenant: who did what, when, and whether it succeeded. */
import { useLocation, useSearch } from "wouter";
import { usePages } from "../api/hooks";
import recorded from "../api/recorded.ja.json";
import { dayOf, endOfDay, exactTime, startOfDay } from "../format/time";
import { T, t } from "../i18n";
import { language } from "../i18n/language";
import { Button } from "../ui/button";
import { Form, type Option, SelectField, TextField, text } from "../ui/form";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";
import { type LogRow, rowsOf } from "./access";
import { LogDownloads } from "./LogDownloads";
import { type Search as Filter, hrefOf, searchOf } from "./logSearch";
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
const TITLES: Record<string, string> =
	language() === "en" ? (await import("../api/recorded.en.json")).default : recorded;

/** An operation in words, or its name when it is a newer one. */
function titleOf(operation: string): string {
	return TITLES[operation] ?? operation;
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
	onFilter: (only: Filter) => void;
}

function EventRow({ event, name, onFilter }: EventRowProps) {
	const isGood = event.outcome === "success";
	const nobody = t(event.bySystem ? "audit.system" : "audit.nobody");
	const actor = name ?? (event.actorId ? event.actorId.slice(-12) : nobody);
	return (
		<li className="audit-event">
			<time dateTime={event.time}>{exactTime(event.time)}</time>
			<p className="audit-text">
				{event.actorId ? (
					<button
						type="button"
						className="link"
						title={event.actorId}
						onClick={() => onFilter({ actorId: event.actorId })}
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
					{event.source && ` · ${event.source}`}
				</p>
				{event.objectId && (
					<p className="small">
						<button
							type="button"
							className="link"
							onClick={() => onFilter({ objectId: event.objectId })}
						>
							<T k="audit.sameObject" />
						</button>
					</p>
				)}
				<pre>{event.line}</pre>
			</details>
		</li>
	);
}

/** The days of a filter; its end is the first moment that does not belong. */
const firstDay = ({ from }: Filter) => from && dayOf(from);
const lastDay = ({ until }: Filter) =>
	until && dayOf(new Date(Date.parse(until) - 1).toISOString());

function FilterForm({ filter, onFilter }: { filter: Filter; onFilter: (next: Filter) => void }) {
	const apply = (data: FormData) => {
		const from = text(data, "from");
		const until = text(data, "until");
		onFilter({
			// Hours that a link asked for stay as long as the days do.
			from: from === firstDay(filter) ? filter.from : from && startOfDay(from),
			until: until === lastDay(filter) ? filter.until : until && endOfDay(until),
			operation: text(data, "operation"),
			outcome: text(data, "outcome") as Filter["outcome"],
			actorId: filter.actorId,
			ownerId: filter.ownerId,
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
					<TextField
						name="from"
						label="audit.from"
						type="date"
						optional
						defaultValue={firstDay(filter)}
					/>
					<TextField
						name="until"
						label="audit.until"
						type="date"
						optional
						defaultValue={lastDay(filter)}
					/>
					<SelectField
						name="operation"
						defaultValue={filter.operation}
						label="audit.operation"
						optional
						blank="common.all"
						options={recordedOperations()}
					/>
					<SelectField
						name="verb"
						defaultValue={filter.verb}
						label="audit.verb"
						optional
						blank="common.all"
						options={VERBS.map((value) => ({ value, text: t(`audit.verb.${value}`) }))}
					/>
					<SelectField
						name="label"
						defaultValue={filter.label}
						label="audit.label"
						optional
						blank="common.all"
						options={LABELS.map((value) => ({ value, text: value }))}
					/>
					<TextField
						name="objectId"
						label="audit.objectId"
						maxLength={64}
						optional
						defaultValue={filter.objectId}
					/>
					<TextField
						name="requestId"
						label="audit.requestId"
						maxLength={36}
						optional
						defaultValue={filter.requestId}
					/>
					<SelectField
						name="outcome"
						defaultValue={filter.outcome}
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
						defaultValue={filter.kind}
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

interface PersonProps {
	filter: Filter;
	names: Map<string, string>;
	onFilter: (next: Filter) => void;
}

/** Of whom alone the list tells, which the form does not show. */
function Person({ filter, names, onFilter }: PersonProps) {
	const { actorId, ownerId, ...rest } = filter;
	const nameOf = (id: string) => names.get(id) ?? id;
	if (!actorId && !ownerId) return null;
	return (
		<p className="actions">
			<span>
				{actorId && <T k="audit.onlyActor" name={nameOf(actorId)} />}
				{ownerId && <T k="audit.onlyOwner" name={nameOf(ownerId)} />}
			</span>
			<Button icon="close" onClick={() => onFilter(rest)}>
				<T k="audit.allActors" />
			</Button>
		</p>
	);
}

export function AuditPage() {
	const query = useSearch();
	const [, go] = useLocation();
	const filter = searchOf(query);
	const show = (next: Filter) => go(hrefOf(next));
	const events = usePages("/v1/audit/events", { query: { ...filter, limit: PAGE_SIZE } });
	const names = useNames([
		filter.actorId,
		filter.ownerId,
		...rowsOf(events.data ?? [], filter).map(({ actorId }) => actorId),
	]);
	return (
		<Page title={<T k="nav.audit" />} name={t("nav.audit")} wide>
			<FilterForm key={query} filter={filter} onFilter={show} />
			<LogDownloads search={filter} />
			<Person filter={filter} names={names} onFilter={show} />
			<Pages of={events} empty="audit.none">
				{(items) => (
					<ol className="audit" aria-label={t("nav.audit")}>
						{rowsOf(items, filter).map((event) => (
							<EventRow
								key={event.id}
								event={event}
								name={event.actorId && names.get(event.actorId)}
								onFilter={(only) => show({ ...filter, ...only })}
							/>
						))}
					</ol>
				)}
			</Pages>
		</Page>
	);
}
