/* A teacher looks at one try: a word at a moment, the three viewpoints, showing it to the class. */
import { Suspense, useRef, useState } from "react";
import { useWrite } from "../api/hooks";
import type { Evaluation, Grading, Try, TryDetail } from "../api/types";
import { clock, dateTime } from "../format/time";
import { T, t } from "../i18n";
import { Compare } from "../media/Compare";
import { contentOf, type PlayerHandle } from "../media/Player";
import { Comments } from "../shared/Comments";
import { fullName } from "../shared/home";
import { StateMark, VIEWPOINTS, viewpointKey } from "../shared/state";
import { useMoment, useTry } from "../shared/tries";
import { Button } from "../ui/button";
import { FieldError, Form, TextArea, text } from "../ui/form";
import { Face } from "../ui/icons";
import { later } from "../ui/later";
import { Page, Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";
import { Switch } from "../ui/switch";
import { useToast } from "../ui/toast";

const TryLabel = later(async () => (await import("../shared/Label")).TryLabel);

const GRADINGS: Grading[] = ["A", "B", "C"];

interface CommentFormProps {
	tryId: string;
	positionMs: number;
	onTyping: () => void;
}

function CommentForm({ tryId, positionMs, onTyping }: CommentFormProps) {
	const write = useWrite("post", "/v1/tries/{tryId}/comments", [
		"/v1/tries/{tryId}/comments",
		"/v1/tries/{tryId}",
	]);
	const save = (data: FormData, form: HTMLFormElement) => {
		const body = { positionMs, text: text(data, "text") ?? "" };
		write.mutate({ params: { tryId }, body }, { onSuccess: () => form.reset() });
	};
	return (
		<Form label={t("review.comment")} onSubmit={save} error={write.error ?? undefined}>
			<TextArea
				name="text"
				label="review.comment"
				hint="review.commentHint"
				maxLength={2000}
				onFocus={onTyping}
			/>
			<Button look="primary" type="submit" icon="speak" busy={write.isPending}>
				<T k="try.commentAt" clock={clock(positionMs)} />
			</Button>
		</Form>
	);
}

function GradeChoice({
	viewpoint,
	value,
}: {
	viewpoint: (typeof VIEWPOINTS)[number];
	value?: Grading;
}) {
	return (
		<fieldset className="grade-choice">
			<legend>
				<T k={viewpointKey(viewpoint)} />
			</legend>
			{GRADINGS.map((grading) => (
				<label key={grading} className="choice">
					<input
						type="radio"
						name={viewpoint}
						value={grading}
						required
						defaultChecked={value === grading}
					/>
					<span>{grading}</span>
				</label>
			))}
			<FieldError name={viewpoint} />
		</fieldset>
	);
}

function EvaluationForm({ tryId, written }: { tryId: string; written?: Evaluation }) {
	const show = useToast();
	const write = useWrite("put", "/v1/tries/{tryId}/evaluation", ["/v1/tries/{tryId}"]);
	const save = (data: FormData) => {
		const grading = (name: string) => data.get(name) as Grading;
		const body = {
			knowledgeAndSkills: grading("knowledgeAndSkills"),
			thinkingJudgementExpression: grading("thinkingJudgementExpression"),
			proactiveAttitude: grading("proactiveAttitude"),
			note: text(data, "note"),
		};
		write.mutate(
			{ params: { tryId }, body },
			{ onSuccess: () => show({ text: t("review.evaluated") }) },
		);
	};
	return (
		<Form
			key={written?.evaluatedAt}
			label={t("review.evaluation")}
			onSubmit={save}
			error={write.error ?? undefined}
		>
			{VIEWPOINTS.map((viewpoint) => (
				<GradeChoice key={viewpoint} viewpoint={viewpoint} value={written?.[viewpoint]} />
			))}
			<TextArea
				name="note"
				label="review.note"
				optional
				maxLength={2000}
				defaultValue={written?.note}
			/>
			<Button look="primary" type="submit" icon="check" busy={write.isPending}>
				<T k="review.evaluate" />
			</Button>
			{written?.evaluatedAt && (
				<p className="small">
					<T k="review.evaluatedAt" time={dateTime(written.evaluatedAt)} />
				</p>
			)}
		</Form>
	);
}

function Sharing({ item }: { item: Try }) {
	const write = useWrite("put", "/v1/tries/{tryId}/sharing", ["/v1/tries/{tryId}"]);
	return (
		<>
			<Switch
				checked={item.shared}
				disabled={write.isPending}
				onChange={(shared) => write.mutate({ params: { tryId: item.id }, body: { shared } })}
			>
				<T k="review.share" />
			</Switch>
			<p className="hint">
				<T k="review.shareHint" />
			</p>
			{write.error && <Alert>{errorText(write.error)}</Alert>}
		</>
	);
}

/** What the pupil wrote: the goal before, the feeling after. */
function PupilWords({ detail }: { detail: TryDetail }) {
	const { goal, reflection } = detail;
	return (
		<div className="pupil-words">
			{goal && (
				<div className="goal-written">
					<Face mood={(goal.condition - 1) / 4} />
					<p className="goal-text">
						<strong>
							<T k="review.goal" />
						</strong>
						<span className="written">{goal.goal}</span>
					</p>
				</div>
			)}
			{reflection && (
				<div className="goal-written">
					<Face mood={(reflection.feeling - 1) / 2} />
					<p className="goal-text">
						<strong>
							<T k={`feeling.${reflection.feeling as 1 | 2 | 3}`} />
						</strong>
						{reflection.text && <span className="written">{reflection.text}</span>}
					</p>
				</div>
			)}
		</div>
	);
}

export function ReviewPage({ params }: { params: { id: string } }) {
	const { detail, comments } = useTry(params.id);
	const player = useRef<PlayerHandle>(null);
	const startMs = useMoment();
	const [positionMs, setPosition] = useState(startMs ?? 0);
	const item = detail.data?.try;
	const name = item ? `${fullName(item)} ${item.skillName}` : t("review.title");
	const items = comments.data?.items ?? [];
	const pause = () => player.current?.pause();
	const goTo = (ms: number) => {
		pause();
		player.current?.seek(ms);
	};
	return (
		<Page
			title={name}
			name={name}
			wide
			back={item && { href: `/assignments/${item.assignmentId}`, label: "board.title" }}
			side={item && <StateMark state={item.state} />}
		>
			<Async of={detail}>
				{(data) => (
					<div className="review">
						<div className="review-main">
							<Compare
								ref={player}
								own={{
									src: contentOf(data.try.mediaId),
									name: <T k="review.video" />,
									label: t("review.video"),
								}}
								modelSrc={data.modelMediaId && contentOf(data.modelMediaId)}
								marks={items.map(({ id, positionMs, text }) => ({ id, positionMs, label: text }))}
								startMs={startMs}
								onMove={setPosition}
							/>
							<PupilWords detail={data} />
						</div>
						<div className="review-side">
							<Section title={<T k="try.comments" />}>
								<Async of={comments}>
									{() => <Comments items={items} onGo={goTo} empty="try.noComments" />}
								</Async>
								<CommentForm tryId={data.try.id} positionMs={positionMs} onTyping={pause} />
							</Section>
							<Section title={<T k="review.evaluation" />}>
								<EvaluationForm tryId={data.try.id} written={data.evaluation} />
							</Section>
							<Section title={<T k="review.sharing" />}>
								<Sharing item={data.try} />
							</Section>
							<Suspense>
								<TryLabel item={data.try} />
							</Suspense>
						</div>
					</div>
				)}
			</Async>
		</Page>
	);
}
