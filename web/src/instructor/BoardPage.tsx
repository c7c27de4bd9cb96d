/* The class board: who has a goal, who sent, who waits for me; it keeps itself up to date. */
import { useState } from "react";
import { Link } from "wouter";
import { useApi } from "../api/hooks";
import type { BoardRow, BoardState } from "../api/types";
import { date, timeOfDay } from "../format/time";
import { T, t } from "../i18n";
import { Ruby } from "../i18n/Ruby";
import { fullName } from "../shared/home";
import { STATES, StateMark } from "../shared/state";
import { usePolling } from "../shared/tries";
import { useLive } from "../shell/Shell";
import { Face } from "../ui/icons";
import { Page } from "../ui/page";
import { Async, Empty } from "../ui/states";

function LiveMark() {
	const isLive = useLive();
	return (
		<p className={`live ${isLive ? "on" : "off"}`} role="status">
			<span className="live-dot" aria-hidden="true" />
			<T k={isLive ? "board.live" : "board.notLive"} />
		</p>
	);
}

function Cell({ row }: { row: BoardRow }) {
	const body = (
		<>
			<span className="cell-name">
				<Ruby text={fullName(row)} reading={`${row.kanaFamilyName} ${row.kanaGivenName}`} />
			</span>
			<StateMark state={row.state} />
			<span className="cell-goal">
				{row.condition !== undefined && <Face mood={(row.condition - 1) / 4} />}
				{row.condition !== undefined && (
					<span className="hidden">
						<T k="board.condition" n={row.condition} />
					</span>
				)}
				{row.goal && <span className="cell-goal-text">{row.goal}</span>}
			</span>
			<span className="cell-foot">
				<T k="board.tries" n={row.tryCount} />
				{row.submittedAt && <time dateTime={row.submittedAt}>{timeOfDay(row.submittedAt)}</time>}
			</span>
		</>
	);
	return (
		<li className={`cell ${row.state}`}>
			{row.latestTryId && row.state !== "recorded" ? (
				<Link href={`/tries/${row.latestTryId}`}>{body}</Link>
			) : (
				<div>{body}</div>
			)}
		</li>
	);
}

function Filter({ rows, chosen, onChoose }: FilterProps) {
	const count = (state: BoardState) => rows.filter((row) => row.state === state).length;
	return (
		<fieldset className="chips">
			<legend className="hidden">
				<T k="board.filter" />
			</legend>
			<button type="button" aria-pressed={!chosen} onClick={() => onChoose(undefined)}>
				<T k="board.all" />
				<strong>{rows.length}</strong>
			</button>
			{STATES.map((state) => (
				<button
					key={state}
					type="button"
					aria-pressed={chosen === state}
					onClick={() => onChoose(chosen === state ? undefined : state)}
				>
					<StateMark state={state} />
					<strong>{count(state)}</strong>
				</button>
			))}
		</fieldset>
	);
}

interface FilterProps {
	rows: BoardRow[];
	chosen?: BoardState;
	onChoose: (state: BoardState | undefined) => void;
}

export function BoardPage({ params }: { params: { id: string } }) {
	const [chosen, setChosen] = useState<BoardState>();
	const board = useApi("/v1/assignments/{assignmentId}/board", {
		params: { assignmentId: params.id },
		every: usePolling(),
	});
	const assignment = board.data?.assignment;
	const name = assignment ? `${assignment.classTitle} ${assignment.unitTitle}` : t("board.title");
	return (
		<Page title={name} name={name} wide back={{ href: "/", label: "nav.home" }} side={<LiveMark />}>
			<Async of={board}>
				{({ items }) => (
					<>
						{assignment?.dueOn && (
							<p className="lead">
								<T k="teach.dueOn" date={date(assignment.dueOn)} />
							</p>
						)}
						<Filter rows={items} chosen={chosen} onChoose={setChosen} />
						{items.length === 0 ? (
							<Empty k="board.empty" />
						) : (
							<ul className="board" aria-label={t("board.title")}>
								{items
									.filter((row) => !chosen || row.state === chosen)
									.map((row) => (
										<Cell key={row.userId} row={row} />
									))}
							</ul>
						)}
					</>
				)}
			</Async>
		</Page>
	);
}
