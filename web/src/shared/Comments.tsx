/* Comments in the order of the video; each one is a button that goes to its moment. */
import type { Comment } from "../api/types";
import { clock } from "../format/time";
import { type Key, T, t } from "../i18n";
import { Icon } from "../ui/icons";
import { Empty } from "../ui/states";

interface CommentsProps {
	items: Comment[];
	onGo: (ms: number) => void;
	empty: Key;
}

export function Comments({ items, onGo, empty }: CommentsProps) {
	if (items.length === 0) return <Empty k={empty} />;
	return (
		<ol className="comments">
			{items.map((comment) => (
				<li key={comment.id} className={comment.authorRole}>
					<button
						type="button"
						className="moment"
						onClick={() => onGo(comment.positionMs)}
						aria-label={t("try.goTo", { clock: clock(comment.positionMs) })}
					>
						<Icon name="play" />
						{clock(comment.positionMs)}
					</button>
					<div>
						<p className="author">
							{comment.authorName ?? ""}
							<span className="tag">
								<T k={comment.authorRole === "instructor" ? "try.teacher" : "try.friend"} />
							</span>
						</p>
						<p className="written">{comment.text}</p>
					</div>
				</li>
			))}
		</ol>
	);
}
