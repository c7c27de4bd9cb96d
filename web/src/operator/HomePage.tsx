/* The operator's first screen. */
import { Link } from "wouter";
import { type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { Icon, type IconName } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async } from "../ui/states";

const TASKS: { href: string; icon: IconName; title: Key; text: Key }[] = [
	{ href: "/contracts", icon: "table", title: "nav.contracts", text: "operate.taskContracts" },
	{
		href: "/announcements",
		icon: "megaphone",
		title: "nav.announcements",
		text: "operate.taskAnnounce",
	},
	{ href: "/anomalies", icon: "eye", title: "nav.anomalies", text: "admin.taskAnomalies" },
	{ href: "/audit", icon: "list", title: "nav.audit", text: "operate.taskAudit" },
];

export function HomePage() {
	const home = useHome();
	const { username } = useSelf();
	return (
		<Page title={<T k="teach.hello" name={username} />} name={t("nav.home")}>
			<Section title={<T k="admin.tasks" />}>
				<ul className="cards">
					{TASKS.map(({ href, icon, title, text }) => (
						<li key={href}>
							<Link href={href} className="card-link">
								<span className="card-picture">
									<Icon name={icon} />
								</span>
								<span className="card-text">
									<strong>
										<T k={title} />
									</strong>
									<span>
										<T k={text} />
									</span>
								</span>
								<Icon name="next" />
							</Link>
						</li>
					))}
				</ul>
			</Section>
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
