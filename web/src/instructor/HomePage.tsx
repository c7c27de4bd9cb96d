/* A teacher's first screen: the lessons, and what waits to be looked at. */
import { Link } from "wouter";
import { date } from "../format/time";
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { fullName, LatestAnnouncements, PartialNote, useHome } from "../shared/home";
import { ButtonLink } from "../ui/button";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async, Empty } from "../ui/states";

export function HomePage() {
	const home = useHome();
	const { username } = useSelf();
	const name = fullName(home.data?.provisioning ?? null) || username;
	return (
		<Page
			title={<T k="teach.hello" name={name} />}
			name={t("nav.home")}
			side={
				<ButtonLink href="/units/new" look="primary" icon="plus">
					<T k="teach.newUnit" />
				</ButtonLink>
			}
		>
			{home.data?.provisioning?.orgName && <p className="lead">{home.data.provisioning.orgName}</p>}
			<Async of={home}>
				{(data) => (
					<>
						<PartialNote home={data} />
						{data.learning && (
							<>
								<div className="figures">
									<p className="figure">
										<strong>{data.learning.waiting}</strong>
										<T k="teach.waiting" />
									</p>
									<p className="figure">
										<strong>{data.learning.assignments.length}</strong>
										<T k="teach.lessonCount" />
									</p>
								</div>
								<Section title={<T k="teach.lessons" />}>
									{data.learning.assignments.length === 0 ? (
										<Empty k="teach.noLessons">
											<ButtonLink href="/units" icon="book">
												<T k="nav.units" />
											</ButtonLink>
										</Empty>
									) : (
										<ul className="cards">
											{data.learning.assignments.map((assignment) => (
												<li key={assignment.id}>
													<Link href={`/assignments/${assignment.id}`} className="card-link">
														<span className="card-picture">
															<Icon name="board" />
														</span>
														<span className="card-text">
															<strong>{assignment.unitTitle}</strong>
															<span>{assignment.classTitle}</span>
															{assignment.dueOn && (
																<span>
																	<T k="teach.dueOn" date={date(assignment.dueOn)} />
																</span>
															)}
														</span>
														<Icon name="next" />
													</Link>
												</li>
											))}
										</ul>
									)}
								</Section>
							</>
						)}
						{data.notification && <LatestAnnouncements items={data.notification.announcements} />}
					</>
				)}
			</Async>
		</Page>
	);
}
