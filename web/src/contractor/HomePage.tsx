/* The contract administrator's first screen. */
import { Link } from "wouter";
import { type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { fullName, LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { Icon, type IconName } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async } from "../ui/states";

const TASKS: { href: string; icon: IconName; title: Key; text: Key }[] = [
	{ href: "/import", icon: "upload", title: "nav.import", text: "admin.taskImport" },
	{ href: "/users", icon: "user", title: "nav.users", text: "admin.taskUsers" },
	{ href: "/classes", icon: "users", title: "nav.classes", text: "admin.taskClasses" },
	{ href: "/features", icon: "lock", title: "nav.features", text: "admin.taskFeatures" },
	{ href: "/sources", icon: "flag", title: "nav.sources", text: "admin.taskSources" },
	{ href: "/audit", icon: "list", title: "nav.audit", text: "admin.taskAudit" },
];

export function HomePage() {
	const home = useHome();
	const self = useSelf();
	const name = fullName(home.data?.provisioning ?? null) || self.username;
	return (
		<Page title={<T k="teach.hello" name={name} />} name={t("nav.home")}>
			<p className="lead">{self.tenantName}</p>
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
		</Page>
	);
}
