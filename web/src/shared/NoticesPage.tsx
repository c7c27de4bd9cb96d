/* My notices; each leads to what it is about, at the moment it is about. */
import { Link } from "wouter";
import { usePages, useWrite } from "../api/hooks";
import type { Notice } from "../api/types";
import { dateTime } from "../format/time";
import { type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Icon, type IconName } from "../ui/icons";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";

const ICONS: Record<Notice["kind"], IconName> = {
	assignment: "flag",
	submission: "film",
	comment: "speak",
	peer_comment: "speak",
	evaluation: "star",
	reflection: "check",
};

export function noticeTarget({ tryId, assignmentId, positionMs }: Notice): string {
	if (tryId)
		return positionMs === undefined ? `/tries/${tryId}` : `/tries/${tryId}?t=${positionMs}`;
	return assignmentId ? `/assignments/${assignmentId}` : "/";
}

export function NoticesPage() {
	const notices = usePages("/v1/notices");
	const read = useWrite("post", "/v1/notices/read", ["/v1/notices", "/v1/home"]);
	const isStudent = useSelf().role === "student";
	const text = (notice: Notice) => `${isStudent ? "noticeOwn" : "notice"}.${notice.kind}` as Key;
	const label = (notice: Notice) =>
		[!notice.read && t("notice.new"), t(text(notice)), dateTime(notice.createdAt)]
			.filter(Boolean)
			.join(" ");
	const hasUnread = notices.data?.some((notice) => !notice.read);
	return (
		<Page
			title={<T k="nav.notices" />}
			name={t("nav.notices")}
			side={
				hasUnread && (
					<Button icon="check" busy={read.isPending} onClick={() => read.mutate({ body: {} })}>
						<T k="notice.readAll" />
					</Button>
				)
			}
		>
			<Pages of={notices} empty="notice.none">
				{(items) => (
					<ul className="plain-list">
						{items.map((notice) => (
							<li key={notice.id}>
								<Link
									href={noticeTarget(notice)}
									aria-label={label(notice)}
									className={`row-link ${notice.read ? "" : "unread"}`}
									onClick={() => notice.read || read.mutate({ body: { ids: [notice.id] } })}
								>
									<Icon name={ICONS[notice.kind]} />
									<span className="grow">
										{!notice.read && (
											<span className="tag new">
												<T k="notice.new" />
											</span>
										)}
										<T k={text(notice)} />
									</span>
									<time dateTime={notice.createdAt}>{dateTime(notice.createdAt)}</time>
								</Link>
							</li>
						))}
					</ul>
				)}
			</Pages>
		</Page>
	);
}
