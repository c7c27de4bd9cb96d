/* One unit: a model video for each skill, and giving the unit to a class. */

import { useQueryClient } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, useLocation } from "wouter";
import { refresh, useAll, useApi, useWrite } from "../api/hooks";
import type { UnitSkill } from "../api/types";
import { date } from "../format/time";
import { T, t } from "../i18n";
import { contentOf, Player } from "../media/Player";
import { useFeature } from "../session/session";
import { Button } from "../ui/button";
import { Form, SelectField, TextField, text } from "../ui/form";
import { Icon } from "../ui/icons";
import { later } from "../ui/later";
import { Page, Section } from "../ui/page";
import { Alert, Async, Empty } from "../ui/states";
import { ModelUpload } from "./ModelUpload";

const UnitLabel = later(async () => (await import("../shared/Label")).UnitLabel);

function Assign({ unitId }: { unitId: string }) {
	const classes = useAll("/v1/classes");
	const [, go] = useLocation();
	const write = useWrite("post", "/v1/assignments", ["/v1/assignments"]);
	const save = (data: FormData) => {
		const body = { unitId, classId: text(data, "classId") ?? "", dueOn: text(data, "dueOn") };
		write.mutate({ body }, { onSuccess: ({ id }) => go(`/assignments/${id}`) });
	};
	return (
		<Section title={<T k="units.assign" />}>
			<Async of={classes}>
				{(items) =>
					items.length === 0 ? (
						<Empty k="classes.noneTaught" />
					) : (
						<Form label={t("units.assign")} onSubmit={save} error={write.error ?? undefined}>
							<div className="form-row">
								<SelectField
									name="classId"
									label="units.class"
									blank="units.chooseClass"
									options={items.map(({ id, title, orgName }) => ({
										value: id,
										text: `${orgName} ${title}`,
									}))}
								/>
								<TextField name="dueOn" label="units.dueOn" type="date" optional />
							</div>
							<Button look="primary" type="submit" icon="send" busy={write.isPending}>
								<T k="units.assignSubmit" />
							</Button>
						</Form>
					)
				}
			</Async>
		</Section>
	);
}

function Assigned({ unitId }: { unitId: string }) {
	const assignments = useAll("/v1/assignments");
	const own = assignments.data?.filter((assignment) => assignment.unitId === unitId) ?? [];
	if (own.length === 0) return null;
	return (
		<Section title={<T k="units.assigned" />}>
			<ul className="plain-list">
				{own.map((assignment) => (
					<li key={assignment.id}>
						<Link href={`/assignments/${assignment.id}`} className="row-link">
							<Icon name="board" />
							<span className="grow">{assignment.classTitle}</span>
							{assignment.dueOn && <T k="teach.dueOn" date={date(assignment.dueOn)} />}
						</Link>
					</li>
				))}
			</ul>
		</Section>
	);
}

function SkillCard({ unitId, skill }: { unitId: string; skill: UnitSkill }) {
	const client = useQueryClient();
	const mayUpload = useFeature("video_upload");
	return (
		<li className="skill-card">
			<h3>{skill.name}</h3>
			<p className="meta">
				<span className="tag">
					<T k={`area.${skill.area}`} />
				</span>
				{skill.curriculumCode && <code title={t("skills.code")}>{skill.curriculumCode}</code>}
			</p>
			{skill.points && <p className="written">{skill.points}</p>}
			{skill.modelMediaId ? (
				<Player
					key={skill.modelMediaId}
					src={contentOf(skill.modelMediaId)}
					label={t("units.modelOf", { name: skill.name })}
				/>
			) : (
				<Empty k="units.noModel" />
			)}
			{mayUpload ? (
				<ModelUpload
					unitId={unitId}
					skillId={skill.skillId}
					hasModel={Boolean(skill.modelMediaId)}
					onSet={() => refresh(client, "/v1/units/{unitId}")}
				/>
			) : (
				<Alert tone="warning">
					<T k="error.code.feature_denied" />
				</Alert>
			)}
		</li>
	);
}

export function UnitPage({ params }: { params: { id: string } }) {
	const unit = useApi("/v1/units/{unitId}", { params: { unitId: params.id } });
	const title = unit.data?.title ?? t("nav.units");
	return (
		<Page title={title} name={title} back={{ href: "/units", label: "nav.units" }}>
			<Async of={unit}>
				{({ id, description, skills, label }) => (
					<>
						{description && <p className="written">{description}</p>}
						<Assigned unitId={id} />
						<Assign unitId={id} />
						<Section title={<T k="units.skills" />}>
							<ol className="skill-cards">
								{skills.map((skill) => (
									<SkillCard key={skill.skillId} unitId={id} skill={skill} />
								))}
							</ol>
						</Section>
						<Suspense>
							<UnitLabel unit={{ id, label }} />
						</Suspense>
					</>
				)}
			</Async>
		</Page>
	);
}
