/* Whether the log has all that was done; what it lacks by name. */
import { useApi, usePages } from "../api/hooks";
import type { LogGap } from "../api/types";
import { dateTime } from "../format/time";
import { addTexts, type Key, T, t } from "../i18n";
import { Section } from "../ui/page";
import { Alert, Async, Pages } from "../ui/states";
import en from "./completeness.en.json";
import ja from "./completeness.ja.json";

addTexts({ ja, en });

const PATH = "/v1/audit/completeness";

const TEXTS: Record<LogGap["kind"], Key> = {
	effect_without_event: "complete.effect",
	event_missing: "complete.missing",
	event_unknown: "complete.unknown",
	accesses_missing: "complete.accesses",
	event_removed: "complete.removed",
	event_changed: "complete.changed",
};

/** What the gateway had no room for it has counted; what it held when it was killed nobody has. */
function textOf(gap: LogGap): Key {
	return gap.kind === "accesses_missing" && gap.changed ? "complete.dropped" : TEXTS[gap.kind];
}

function Row({ gap }: { gap: LogGap }) {
	const what = gap.operation ?? `${gap.relation} (${gap.verb})`;
	const values = { service: gap.service, what, n: gap.changed ?? 0 };
	const numbers = { first: gap.firstSequence ?? 0, last: gap.lastSequence ?? 0 };
	return (
		<li className="audit-event">
			<time dateTime={gap.at}>{dateTime(gap.at)}</time>
			<p className="audit-text">
				<T k={textOf(gap)} {...values} {...numbers} />
				<span className="small">{gap.byWhom ?? gap.eventId ?? gap.runId}</span>
			</p>
		</li>
	);
}

function Gaps() {
	const gaps = usePages(PATH);
	return (
		<Pages of={gaps} empty="complete.good">
			{(items) => (
				<ol className="audit" aria-label={t("complete.title")}>
					{items.map((gap) => (
						<Row key={gap.id} gap={gap} />
					))}
				</ol>
			)}
		</Pages>
	);
}

export function Completeness() {
	const state = useApi(PATH);
	return (
		<Section title={<T k="complete.title" />}>
			<Async of={state}>
				{({ gapCount, services }) => (
					<>
						{gapCount > 0 ? (
							<Alert>
								<T k="complete.bad" n={gapCount} />
							</Alert>
						) : (
							<p>
								<T k="complete.good" />
							</p>
						)}
						<p className="small">
							<T
								k="complete.checked"
								time={
									services[0] ? dateTime(services.map(({ toldAt }) => toldAt).sort()[0] ?? "") : "—"
								}
							/>
						</p>
						{gapCount > 0 && <Gaps />}
					</>
				)}
			</Async>
		</Section>
	);
}
