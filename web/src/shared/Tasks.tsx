/* What staff without a class can do here, as cards on their first screen. */
import { Link } from "wouter";
import { type Key, T } from "../i18n";
import { Icon, type IconName } from "../ui/icons";
import { Section } from "../ui/page";

export type Task = { href: string; icon: IconName; title: Key; text: Key };

export function Tasks({ tasks }: { tasks: Task[] }) {
	return (
		<Section title={<T k="admin.tasks" />}>
			<ul className="cards">
				{tasks.map(({ href, icon, title, text }) => (
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
	);
}
