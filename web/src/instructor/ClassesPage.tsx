/* The classes I teach, with their pupils in kana order. */
import { useAll } from "../api/hooks";
import type { SchoolClass } from "../api/types";
import { T, t } from "../i18n";
import { Members } from "../shared/Members";
import { Page } from "../ui/page";
import { Async, Empty } from "../ui/states";

function ClassBox({ item }: { item: SchoolClass }) {
	const enrollments = useAll("/v1/classes/{classId}/enrollments", { params: { classId: item.id } });
	return (
		<details className="fold">
			<summary>
				<strong>{item.title}</strong>
				<span>{item.orgName}</span>
				<span>
					<T k="classes.students" n={item.studentCount} />
				</span>
			</summary>
			<Async of={enrollments}>{(items) => <Members items={items} />}</Async>
		</details>
	);
}

export function ClassesPage() {
	const classes = useAll("/v1/classes");
	return (
		<Page title={<T k="nav.classes" />} name={t("nav.classes")}>
			<Async of={classes}>
				{(items) =>
					items.length === 0 ? (
						<Empty k="classes.noneTaught" />
					) : (
						items.map((item) => <ClassBox key={item.id} item={item} />)
					)
				}
			</Async>
		</Page>
	);
}
