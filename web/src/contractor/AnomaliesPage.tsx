/* What is unusual in the log: seen by a machine, judged by a person. */
import { Link } from "wouter";
import { usePages, useWrite } from "../api/hooks";
import type { Anomaly } from "../api/types";
import { dateTime } from "../format/time";
import { type Key, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";
import { eventsBehind } from "./anomalyEvents";
import { Completeness } from "./Completeness";
import { hrefOf } from "./logSearch";
import { useNames } from "./names";

const TEXTS: Record<Anomaly["kind"], Key> = {
	many_videos: "anomaly.manyVideos",
	many_failures: "anomaly.manyFailures",
	odd_hours: "anomaly.oddHours",
	incomplete_log: "anomaly.incompleteLog",
	audit_stopped: "anomaly.auditStopped",
	bulk_download: "anomaly.bulkDownload",
	many_keys: "anomaly.manyKeys",
	refused_keys: "anomaly.refusedKeys",
	foreign_keys: "anomaly.foreignKeys",
};

interface RowProps {
	anomaly: Anomaly;
	name?: string;
	onSeen: () => void;
}

function Row({ anomaly, name, onSeen }: RowProps) {
	const until = anomaly.endedAt ? dateTime(anomaly.endedAt) : "";
	const who = name ?? anomaly.userId?.slice(-12) ?? "";
	return (
		<li className="audit-event">
			<time dateTime={anomaly.beganAt}>{dateTime(anomaly.beganAt)}</time>
			<p className="audit-text">
				<span>
					<T k={TEXTS[anomaly.kind]} name={who} n={anomaly.count} until={until} />
				</span>
				<Link href={hrefOf(eventsBehind(anomaly))}>
					<T k="anomaly.events" />
				</Link>
				{anomaly.seen ? (
					<span className="tag good">
						<Icon name="check" />
						<T k="anomaly.seen" />
					</span>
				) : (
					<Button icon="check" onClick={onSeen}>
						<T k="anomaly.see" />
					</Button>
				)}
			</p>
		</li>
	);
}

export function AnomaliesPage() {
	const anomalies = usePages("/v1/audit/anomalies");
	const see = useWrite("post", "/v1/audit/anomalies/{anomalyId}/see", ["/v1/audit/anomalies"]);
	const names = useNames((anomalies.data ?? []).map(({ userId }) => userId));
	return (
		<Page title={<T k="nav.anomalies" />} name={t("nav.anomalies")}>
			<p>
				<T k="anomaly.text" />{" "}
				<Link href="/audit">
					<T k="nav.audit" />
				</Link>
			</p>
			<Pages of={anomalies} empty="anomaly.none">
				{(items) => (
					<ol className="audit" aria-label={t("nav.anomalies")}>
						{items.map((anomaly) => (
							<Row
								key={anomaly.id}
								anomaly={anomaly}
								name={anomaly.userId && names.get(anomaly.userId)}
								onSeen={() => see.mutate({ params: { anomalyId: anomaly.id } })}
							/>
						))}
					</ol>
				)}
			</Pages>
			<Completeness />
		</Page>
	);
}
