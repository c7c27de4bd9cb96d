/* A pupil's first screen: what to do now, in one tap. */
import { Link } from "wouter";
import type { Assignment } from "../api/types";
import { date } from "../format/time";
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { fullName, LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { ButtonLink } from "../ui/button";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async, Empty } from "../ui/states";

function AssignmentCard({ assignment }: { assignment: Assignment }) {
	return (
		<li>
			<Link href={`/assignments/${assignment.id}`} className="card-link">
				<span className="card-picture">
					<Icon name="flag" />
				</span>
				<span className="card-text">
					<strong>{assignment.unitTitle}</strong>
					<span>{assignment.classTitle}</span>
					{assignment.dueOn && (
						<span>
							<T k="student.dueOn" date={date(assignment.dueOn)} />
						</span>
					)}
				</span>
				<Icon name="next" />
			</Link>
		</li>
	);
}

export function HomePage() {
	const home = useHome();
	const { username } = useSelf();
	const person = home.data?.provisioning ?? null;
	const name = fullName(person) || username;
	const unread = home.data?.notification?.unreadCount ?? 0;
	return (
		<Page title={<T k="student.hello" name={name} />} name={t("nav.home")}>
			{person?.orgName && (
				<p className="lead">
					{person.orgName} {person.classTitle}
				</p>
			)}
			<Async of={home}>
				{(data) => (
					<>
						<PartialNote home={data} />
						{unread > 0 && (
							<ButtonLink href="/notices" look="primary" icon="bell">
								<T k="student.newNotices" n={unread} />
							</ButtonLink>
						)}
						{data.learning && (
							<Section title={<T k="student.lessons" />}>
								{data.learning.assignments.length === 0 ? (
									<Empty k="student.noLessons" />
								) : (
									<ul className="cards">
										{data.learning.assignments.map((assignment) => (
											<AssignmentCard key={assignment.id} assignment={assignment} />
										))}
									</ul>
								)}
							</Section>
						)}
						{data.notification && <LatestAnnouncements items={data.notification.announcements} />}
					</>
				)}
			</Async>
		</Page>
	);
}
