/* My own tries, and those of classmates that the teacher shows to all. */
import { Link } from "wouter";
import { usePages } from "../api/hooks";
import type { Try } from "../api/types";
import { dateTime } from "../format/time";
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { fullName } from "../shared/home";
import { StateMark } from "../shared/state";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Empty, Pages } from "../ui/states";

function Row({ item, isOwn }: { item: Try; isOwn: boolean }) {
	return (
		<li>
			<Link href={`/tries/${item.id}`} className="card-link">
				<span className="card-picture">
					<Icon name="film" />
				</span>
				<span className="card-text">
					<strong>{item.skillName}</strong>
					{isOwn ? <StateMark state={item.state} own /> : <span>{fullName(item)}</span>}
					<time dateTime={item.createdAt}>{dateTime(item.createdAt)}</time>
				</span>
				<Icon name="next" />
			</Link>
		</li>
	);
}

export function TriesPage() {
	const { userId } = useSelf();
	const tries = usePages("/v1/tries");
	return (
		<Page title={<T k="nav.tries" />} name={t("nav.tries")}>
			<Pages of={tries} empty="student.noTries">
				{(items) => {
					const own = items.filter((item) => item.userId === userId);
					const others = items.filter((item) => item.userId !== userId);
					return (
						<>
							<Section title={<T k="student.ownTries" />}>
								{own.length === 0 ? (
									<Empty k="student.noTries" />
								) : (
									<ul className="cards">
										{own.map((item) => (
											<Row key={item.id} item={item} isOwn />
										))}
									</ul>
								)}
							</Section>
							{others.length > 0 && (
								<Section title={<T k="student.sharedTries" />}>
									<ul className="cards">
										{others.map((item) => (
											<Row key={item.id} item={item} isOwn={false} />
										))}
									</ul>
								</Section>
							)}
						</>
					);
				}}
			</Pages>
		</Page>
	);
}
