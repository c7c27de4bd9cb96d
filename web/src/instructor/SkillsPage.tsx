/* The skills of the contract, from basic to advanced, and a form for a new one. */
import { useState } from "react";
import { usePages, useWrite } from "../api/hooks";
import type { Area } from "../api/types";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Form, SelectField, TextArea, TextField, text } from "../ui/form";
import { Page, Section } from "../ui/page";
import { Pages } from "../ui/states";

export const AREAS: Area[] = ["mat", "vault", "bar", "swimming", "other"];

function NewSkill({ onDone }: { onDone: () => void }) {
	const write = useWrite("post", "/v1/skills", ["/v1/skills"]);
	const save = (data: FormData) => {
		const body = {
			name: text(data, "name") ?? "",
			area: data.get("area") as Area,
			curriculumCode: text(data, "curriculumCode"),
			points: text(data, "points"),
		};
		write.mutate({ body }, { onSuccess: onDone });
	};
	return (
		<div className="panel">
			<h2>
				<T k="skills.new" />
			</h2>
			<Form label={t("skills.new")} onSubmit={save} error={write.error ?? undefined}>
				<TextField name="name" label="skills.name" maxLength={100} />
				<SelectField
					name="area"
					label="skills.area"
					options={AREAS.map((value) => ({ value, text: t(`area.${value}`) }))}
				/>
				<TextField
					name="curriculumCode"
					label="skills.code"
					hint="skills.codeHint"
					optional
					minLength={16}
					maxLength={16}
					autoCapitalize="characters"
					spellCheck={false}
				/>
				<TextArea name="points" label="skills.points" hint="skills.pointsHint" optional />
				<div className="actions">
					<Button look="primary" type="submit" busy={write.isPending}>
						<T k="skills.save" />
					</Button>
					<Button onClick={onDone}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

export function SkillsPage() {
	const skills = usePages("/v1/skills", { query: { limit: 200 } });
	const [isNew, setNew] = useState(false);
	return (
		<Page
			title={<T k="nav.skills" />}
			name={t("nav.skills")}
			side={
				!isNew && (
					<Button look="primary" icon="plus" onClick={() => setNew(true)}>
						<T k="skills.new" />
					</Button>
				)
			}
		>
			{isNew && <NewSkill onDone={() => setNew(false)} />}
			<Pages of={skills} empty="skills.none">
				{(items) =>
					AREAS.filter((area) => items.some((skill) => skill.area === area)).map((area) => (
						<Section key={area} title={<T k={`area.${area}`} />}>
							<ol className="plain-list">
								{items
									.filter((skill) => skill.area === area)
									.map((skill) => (
										<li key={skill.id} className="row">
											<span className="grow">
												<strong>{skill.name}</strong>
												{skill.points && <span className="small written">{skill.points}</span>}
											</span>
											{skill.curriculumCode && (
												<code title={t("skills.code")}>{skill.curriculumCode}</code>
											)}
										</li>
									))}
							</ol>
						</Section>
					))
				}
			</Pages>
		</Page>
	);
}
