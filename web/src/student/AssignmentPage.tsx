/* One lesson: first the goal, then the skills to try. */
import { Link } from "wouter";
import { useApi, usePages } from "../api/hooks";
import type { Try, UnitSkill } from "../api/types";
import { date } from "../format/time";
import { T, t } from "../i18n";
import { useSelf } from "../session/session";
import { StateMark } from "../shared/state";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async } from "../ui/states";
import { GoalForm } from "./GoalForm";

interface SkillRowProps {
	assignmentId: string;
	skill: UnitSkill;
	latest?: Try;
}

function SkillRow({ assignmentId, skill, latest }: SkillRowProps) {
	return (
		<li>
			<Link href={`/assignments/${assignmentId}/skills/${skill.skillId}`} className="card-link">
				<span className="card-picture">
					<Icon name={skill.modelMediaId ? "play" : "star"} />
				</span>
				<span className="card-text">
					<strong>{skill.name}</strong>
					{latest ? (
						<StateMark state={latest.state} own />
					) : (
						<span>
							<T k="student.notTried" />
						</span>
					)}
				</span>
				<Icon name="next" />
			</Link>
		</li>
	);
}

export function AssignmentPage({ params }: { params: { id: string } }) {
	const { userId } = useSelf();
	const assignment = useApi("/v1/assignments/{assignmentId}", {
		params: { assignmentId: params.id },
	});
	const unitId = assignment.data?.unitId ?? "";
	const unit = useApi("/v1/units/{unitId}", { params: { unitId }, enabled: unitId !== "" });
	const tries = usePages("/v1/tries", { query: { assignmentId: params.id, userId } });
	const title = assignment.data?.unitTitle ?? t("student.lessons");
	return (
		<Page title={title} name={title} back={{ href: "/", label: "nav.home" }}>
			<Async of={assignment}>
				{(data) => (
					<>
						<p className="lead">
							{data.classTitle}
							{data.dueOn && (
								<>
									{" "}
									<T k="student.dueOn" date={date(data.dueOn)} />
								</>
							)}
						</p>
						<GoalForm assignmentId={data.id} />
						<Section title={<T k="student.skills" />}>
							<Async of={unit}>
								{({ skills, description }) => (
									<>
										{description && <p className="written intro">{description}</p>}
										<ul className="cards">
											{skills.map((skill) => (
												<SkillRow
													key={skill.skillId}
													assignmentId={data.id}
													skill={skill}
													latest={tries.data?.find((item) => item.skillId === skill.skillId)}
												/>
											))}
										</ul>
									</>
								)}
							</Async>
						</Section>
					</>
				)}
			</Async>
		</Page>
	);
}
