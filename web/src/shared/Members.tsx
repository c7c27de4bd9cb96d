/* Who teaches and who learns in a class. */
import type { ReactNode } from "react";
import type { Enrollment } from "../api/types";
import { fullDate } from "../format/time";
import { T, t } from "../i18n";
import { TableFrame } from "../ui/page";
import { Empty } from "../ui/states";
import { fullName } from "./home";

/** A class or an enrolment that is suspended. */
export function RestMark() {
	return (
		<span className="tag status-suspended">
			<T k="classes.suspended" />
		</span>
	);
}

/** From which day and until before which day, as far as there is one. */
function Span({ beginDate, endDate }: Enrollment) {
	if (!beginDate && !endDate) return null;
	return (
		<span className="small">
			{beginDate && <T k="classes.from" date={fullDate(beginDate)} />}{" "}
			{endDate && <T k="classes.until" date={fullDate(endDate)} />}
		</span>
	);
}

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
								<T k={item.role === "teacher" ? "classes.teacher" : "classes.student"} />{" "}
								{item.primary && (
									<span className="tag">
										<T k="classes.primary" />
									</span>
								)}{" "}
								{item.status === "suspended" && <RestMark />} <Span {...item} />
							</td>
							{action && <td className="end">{action(item)}</td>}
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}
