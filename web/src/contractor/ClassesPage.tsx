/* Schools and their classes. */
import { useState } from "react";
import { Link } from "wouter";
import { useAll, useWrite } from "../api/hooks";
import type { Grade, Org, SchoolClass } from "../api/types";
import { type Key, T, t } from "../i18n";
import { RestMark } from "../shared/Members";
import { gradeOptions } from "../shared/person";
import { Button } from "../ui/button";
import { Form, SelectField, TextField, text } from "../ui/form";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Async, Empty } from "../ui/states";

function NewSchool({ onDone }: { onDone: () => void }) {
	const write = useWrite("post", "/v1/orgs", ["/v1/orgs"]);
	return (
		<div className="panel">
			<h2>
				<T k="classes.newSchool" />
			</h2>
			<Form
				label={t("classes.newSchool")}
				error={write.error ?? undefined}
				onSubmit={(data) =>
					write.mutate({ body: { name: text(data, "name") ?? "" } }, { onSuccess: onDone })
				}
			>
				<TextField name="name" label="classes.schoolName" maxLength={100} />
				<div className="actions">
					<Button look="primary" type="submit" busy={write.isPending}>
						<T k="classes.save" />
					</Button>
					<Button onClick={onDone}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

function NewClass({ schools, onDone }: { schools: Org[]; onDone: () => void }) {
	const write = useWrite("post", "/v1/classes", ["/v1/classes"]);
	const save = (data: FormData) => {
		const body = {
			title: text(data, "title") ?? "",
			orgId: text(data, "orgId") ?? "",
			grade: text(data, "grade") as Grade | undefined,
		};
		write.mutate({ body }, { onSuccess: onDone });
	};
	return (
		<div className="panel">
			<h2>
				<T k="classes.new" />
			</h2>
			<Form label={t("classes.new")} onSubmit={save} error={write.error ?? undefined}>
				<SelectField
					name="orgId"
					label="classes.school"
					options={schools.map(({ id, name }) => ({ value: id, text: name }))}
				/>
				<div className="form-row">
					<TextField name="title" label="classes.title" maxLength={100} />
					<SelectField
						name="grade"
						label="person.grade"
						optional
						blank="person.noGrade"
						options={gradeOptions()}
					/>
				</div>
				<div className="actions">
					<Button look="primary" type="submit" busy={write.isPending}>
						<T k="classes.save" />
					</Button>
					<Button onClick={onDone}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

function School({ school, classes }: { school: Org; classes: SchoolClass[] }) {
	return (
		<Section title={school.name}>
			{classes.length === 0 ? (
				<Empty k="classes.none" />
			) : (
				<ul className="plain-list">
					{classes.map((item) => (
						<li key={item.id}>
							<Link href={`/classes/${item.id}`} className="row-link">
								<Icon name="users" />
								<span className="grow">{item.title}</span>
								{item.status === "suspended" && <RestMark />}
								{item.grade && <T k={`grade.${item.grade}` as Key} />}
								<span>
									<T k="classes.students" n={item.studentCount} />
								</span>
							</Link>
						</li>
					))}
				</ul>
			)}
		</Section>
	);
}

export function ClassesPage() {
	const orgs = useAll("/v1/orgs");
	const classes = useAll("/v1/classes");
	const [making, setMaking] = useState<"school" | "class">();
	const done = () => setMaking(undefined);
	const schools = orgs.data?.filter((org) => org.type === "school") ?? [];
	return (
		<Page
			title={<T k="nav.classes" />}
			name={t("nav.classes")}
			side={
				<>
					<Button icon="plus" onClick={() => setMaking("school")}>
						<T k="classes.newSchool" />
					</Button>
					<Button
						look="primary"
						icon="plus"
						disabled={schools.length === 0}
						onClick={() => setMaking("class")}
					>
						<T k="classes.new" />
					</Button>
				</>
			}
		>
			{making === "school" && <NewSchool onDone={done} />}
			{making === "class" && <NewClass schools={schools} onDone={done} />}
			<Async of={orgs}>
				{() =>
					schools.length === 0 ? (
						<Empty k="classes.noSchool" />
					) : (
						<Async of={classes}>
							{(items) =>
								schools.map((school) => (
									<School
										key={school.id}
										school={school}
										classes={items.filter((item) => item.orgId === school.id)}
									/>
								))
							}
						</Async>
					)
				}
			</Async>
		</Page>
	);
}
