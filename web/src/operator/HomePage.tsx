/* The operator's first screen. */
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { type Task, Tasks } from "../shared/Tasks";
import { Page } from "../ui/page";
import { Async } from "../ui/states";

const TASKS: Task[] = [
	{ href: "/contracts", icon: "table", title: "nav.contracts", text: "operate.taskContracts" },
	{
		href: "/announcements",
		icon: "megaphone",
		title: "nav.announcements",
		text: "operate.taskAnnounce",
	},
	{ href: "/anomalies", icon: "eye", title: "nav.anomalies", text: "admin.taskAnomalies" },
	{ href: "/keys", icon: "lock", title: "nav.keys", text: "admin.taskKeys" },
	{ href: "/audit", icon: "list", title: "nav.audit", text: "operate.taskAudit" },
];

export function HomePage() {
	const home = useHome();
	const { username } = useSelf();
	return (
		<Page title={<T k="teach.hello" name={username} />} name={t("nav.home")}>
			<Tasks tasks={TASKS} />
			<Async of={home}>
				{(data) => (
					<>
						<PartialNote home={data} />
						{data.notification && <LatestAnnouncements items={data.notification.announcements} />}
					</>
				)}
			</Async>
		</Page>
	);
}
