/* Who teaches and who learns in a class. */
import type { ReactNode } from "react";
import type { Enrollment } from "../api/types";
import { T, t } from "../i18n";
import { TableFrame } from "../ui/page";
import { Empty } from "../ui/states";
import { fullName } from "./home";

interface MembersProps {
	items: Enrollment[];
	action?: (enrollment: Enrollment) => ReactNode;
}

export function Members({ items, action }: MembersProps) {
	if (items.length === 0) return <Empty k="classes.noMembers" />;
	return (
		<TableFrame label={t("classes.members")}>
			<table>
				<thead>
					<tr>
						<th scope="col">
							<T k="person.name" />
						</th>
						<th scope="col">
							<T k="person.kana" />
						</th>
						<th scope="col">
							<T k="classes.role" />
						</th>
						{action && (
							<th scope="col">
								<span className="hidden">
									<T k="common.actions" />
								</span>
							</th>
						)}
					</tr>
				</thead>
				<tbody>
					{items.map((item) => (
						<tr key={item.id}>
							<th scope="row">{fullName(item)}</th>
							<td>
								{item.kanaFamilyName} {item.kanaGivenName}
							</td>
							<td>
								<T k={item.role === "teacher" ? "classes.teacher" : "classes.student"} />
							</td>
							{action && <td className="end">{action(item)}</td>}
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}
