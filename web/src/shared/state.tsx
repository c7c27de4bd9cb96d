/* The states of a pupil's work: always a shape and a word, the colour only helps. */
import type { BoardState, Grading } from "../api/types";
import { type Key, T } from "../i18n";

const SHAPES: Record<BoardState, string> = {
	none: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z",
	goal: "M6 21V4h13l-4 4 4 4H6",
	recorded: "M12 4 21 20H3z",
	waiting: "M4 4h16v16H4z",
	commented: "M3 5h18v11H12l-5 5v-5H3z",
	evaluated: "M12 2.5l2.9 6.2 6.6.8-4.9 4.5 1.3 6.7L12 17.4l-5.9 3.3 1.3-6.7L2.5 9.5l6.6-.8z",
	reflected: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM7.5 12l3.2 3.2 5.8-6",
};

export function StateMark({ state, own }: { state: BoardState; own?: boolean }) {
	return (
		<span className={`state ${state}`}>
			<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
				<path d={SHAPES[state]} />
			</svg>
			<span>
				<T k={`${own ? "own" : "state"}.${state}` as Key} />
			</span>
		</span>
	);
}

export const STATES: BoardState[] = [
	"waiting",
	"commented",
	"evaluated",
	"reflected",
	"recorded",
	"goal",
	"none",
];

export const VIEWPOINTS = [
	"knowledgeAndSkills",
	"thinkingJudgementExpression",
	"proactiveAttitude",
] as const;

export type Viewpoint = (typeof VIEWPOINTS)[number];

export function viewpointKey(viewpoint: Viewpoint, isStudent = false): Key {
	return `${isStudent ? "viewpointEasy" : "viewpoint"}.${viewpoint}`;
}

export function Grade({ value }: { value: Grading }) {
	return <span className={`grade grade-${value}`}>{value}</span>;
}
