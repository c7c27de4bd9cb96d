/* The contract administrator's first screen. */
import { Link } from "wouter";
import { useApi } from "../api/hooks";
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { fullName, LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { type Task, Tasks } from "../shared/Tasks";
import { Page } from "../ui/page";
import { Alert, Async } from "../ui/states";

const TASKS: Task[] = [
	{ href: "/import", icon: "upload", title: "nav.import", text: "admin.taskImport" },
	{ href: "/users", icon: "user", title: "nav.users", text: "admin.taskUsers" },
	{ href: "/classes", icon: "users", title: "nav.classes", text: "admin.taskClasses" },
	{ href: "/features", icon: "lock", title: "nav.features", text: "admin.taskFeatures" },
	{ href: "/sources", icon: "flag", title: "nav.sources", text: "admin.taskSources" },
	{ href: "/anomalies", icon: "eye", title: "nav.anomalies", text: "admin.taskAnomalies" },
	{ href: "/keys", icon: "lock", title: "nav.keys", text: "admin.taskKeys" },
	{ href: "/retention", icon: "book", title: "nav.retention", text: "admin.taskRetention" },
	{ href: "/export", icon: "send", title: "nav.export", text: "admin.taskExport" },
	{ href: "/audit", icon: "list", title: "nav.audit", text: "admin.taskAudit" },
];

/** Says that there is something to look at, and nothing while there is not or nobody knows. */
function Unseen() {
	const unseen = useApi("/v1/audit/anomalies", { query: { limit: 1 } }).data?.unseenCount ?? 0;
	if (unseen === 0) return null;
	return (
		<Alert tone="warning">
			<Link href="/anomalies">
				<T k="anomaly.unseen" n={unseen} />
			</Link>
		</Alert>
	);
}

export function HomePage() {
	const home = useHome();
	const self = useSelf();
	const name = fullName(home.data?.provisioning ?? null) || self.username;
	return (
		<Page title={<T k="teach.hello" name={name} />} name={t("nav.home")}>
			<p className="lead">{self.tenantName}</p>
			<Unseen />
			<Async of={home}>
				{(data) => (
					<>
						<PartialNote home={data} />
						{data.provisioning?.userCount !== undefined && (
							<div className="figures">
								<p className="figure">
									<strong>{data.provisioning.userCount}</strong>
									<T k="admin.userCount" />
								</p>
							</div>
						)}
						{data.notification && <LatestAnnouncements items={data.notification.announcements} />}
					</>
				)}
			</Async>
			<Tasks tasks={TASKS} />
		</Page>
	);
}
