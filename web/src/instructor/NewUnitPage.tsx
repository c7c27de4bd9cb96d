/* A unit is a title and the skills it teaches, in the order they are taught. */
import { useLocation } from "wouter";
import { useAll, useWrite } from "../api/hooks";
import type { Skill } from "../api/types";
import { T, t } from "../i18n";
import { Button, ButtonLink } from "../ui/button";
import { FieldError, Form, TextArea, TextField, text } from "../ui/form";
import { Page } from "../ui/page";
import { Async, Empty } from "../ui/states";
import { AREAS } from "./SkillsPage";

function SkillChoices({ skills }: { skills: Skill[] }) {
	return (
		<fieldset className="checks">
			<legend>
				<T k="units.chooseSkills" />
			</legend>
			{AREAS.map((area) => {
				const own = skills.filter((skill) => skill.area === area);
				return (
					own.length > 0 && (
						<div key={area}>
							<p className="check-title">
								<T k={`area.${area}`} />
							</p>
							<div className="check-row">
								{own.map((skill) => (
									<label key={skill.id} className="check">
										<input type="checkbox" name="skillIds" value={skill.id} />
										<span>{skill.name}</span>
									</label>
								))}
							</div>
						</div>
					)
				);
			})}
			<FieldError name="skillIds" />
		</fieldset>
	);
}

export function NewUnitPage() {
	const skills = useAll("/v1/skills");
	const [, go] = useLocation();
	const write = useWrite("post", "/v1/units", ["/v1/units"]);
	const save = (data: FormData) => {
		const body = {
			title: text(data, "title") ?? "",
			description: text(data, "description"),
			skillIds: data.getAll("skillIds").map(String),
		};
		write.mutate({ body }, { onSuccess: (unit) => go(`/units/${unit.id}`) });
	};
	return (
		<Page
			title={<T k="teach.newUnit" />}
			name={t("teach.newUnit")}
			back={{ href: "/units", label: "nav.units" }}
		>
			<Async of={skills}>
				{(items) =>
					items.length === 0 ? (
						<Empty k="skills.none">
							<ButtonLink href="/skills" look="primary" icon="plus">
								<T k="skills.new" />
							</ButtonLink>
						</Empty>
					) : (
						<Form label={t("teach.newUnit")} onSubmit={save} error={write.error ?? undefined}>
							<TextField name="title" label="units.title" maxLength={100} />
							<TextArea name="description" label="units.description" optional maxLength={2000} />
							<SkillChoices skills={items} />
							<Button look="primary" large type="submit" busy={write.isPending}>
								<T k="units.save" />
							</Button>
						</Form>
					)
				}
			</Async>
		</Page>
	);
}
