/* One try: own video beside the model, the teacher's words at their moments, the reflection. */
import { Suspense, useRef, useState } from "react";
import { useWrite } from "../api/hooks";
import type { Reflection, TryDetail } from "../api/types";
import { clock } from "../format/time";
import { T, t } from "../i18n";
import { Compare } from "../media/Compare";
import { contentOf, type PlayerHandle } from "../media/Player";
import { useFeature, useSelf } from "../session/session";
import { Comments } from "../shared/Comments";
import { fullName } from "../shared/home";
import { Grade, StateMark, VIEWPOINTS, viewpointKey } from "../shared/state";
import { useMoment, useTry } from "../shared/tries";
import { Button } from "../ui/button";
import { Choices, Form, TextArea, text } from "../ui/form";
import { Face } from "../ui/icons";
import { later } from "../ui/later";
import { Page, Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";

const TryLabel = later(async () => (await import("../shared/Label")).TryLabel);

const FEELINGS = (["3", "2", "1"] as const).map((value) => ({
	value,
	label: `feeling.${value}` as const,
	picture: <Face mood={(Number(value) - 1) / 2} />,
}));

function SubmitBox({ tryId }: { tryId: string }) {
	const submit = useWrite("post", "/v1/tries/{tryId}/submit", ["/v1/tries/{tryId}", "/v1/tries"]);
	return (
		<div className="call">
			<p>
				<T k="student.notSent" />
			</p>
			<Button
				look="primary"
				large
				icon="send"
				busy={submit.isPending}
				onClick={() => submit.mutate({ params: { tryId } })}
			>
				<T k="student.send" />
			</Button>
			{submit.error && <Alert>{errorText(submit.error)}</Alert>}
		</div>
	);
}

function EvaluationBox({ detail }: { detail: TryDetail }) {
	const { evaluation } = detail;
	if (!evaluation) return null;
	return (
		<Section title={<T k="student.evaluation" />}>
			<dl className="grades">
				{VIEWPOINTS.map((viewpoint) => (
					<div key={viewpoint}>
						<dt>
							<T k={viewpointKey(viewpoint, true)} />
						</dt>
						<dd>
							<Grade value={evaluation[viewpoint]} />
						</dd>
					</div>
				))}
			</dl>
			{evaluation.note && <p className="written">{evaluation.note}</p>}
		</Section>
	);
}

function ReflectionBox({ tryId, written }: { tryId: string; written?: Reflection }) {
	const write = useWrite("put", "/v1/tries/{tryId}/reflection", ["/v1/tries/{tryId}", "/v1/tries"]);
	const [isEditing, setEditing] = useState(false);
	const save = (data: FormData) => {
		const body = { feeling: Number(data.get("feeling")), text: text(data, "text") };
		write.mutate({ params: { tryId }, body }, { onSuccess: () => setEditing(false) });
	};
	return (
		<Section title={<T k="student.reflection" />}>
			{written && !isEditing ? (
				<div className="goal-written">
					<Face mood={(written.feeling - 1) / 2} />
					<p className="goal-text">
						<strong>
							<T k={`feeling.${written.feeling as 1 | 2 | 3}`} />
						</strong>
						{written.text && <span className="written">{written.text}</span>}
					</p>
					<Button onClick={() => setEditing(true)}>
						<T k="student.reflectionChange" />
					</Button>
				</div>
			) : (
				<Form label={t("student.reflection")} onSubmit={save} error={write.error ?? undefined}>
					<Choices
						name="feeling"
						legend="student.feeling"
						options={FEELINGS}
						defaultValue={written && String(written.feeling)}
					/>
					<TextArea
						name="text"
						label="student.reflectionText"
						optional
						maxLength={2000}
						defaultValue={written?.text}
					/>
					<Button look="primary" large type="submit" icon="check" busy={write.isPending}>
						<T k="student.reflectionSave" />
					</Button>
				</Form>
			)}
		</Section>
	);
}

/** A word to a classmate, at the present moment of the video. */
function PeerComment({ tryId, positionMs }: { tryId: string; positionMs: number }) {
	const write = useWrite("post", "/v1/tries/{tryId}/peer-comments", ["/v1/tries/{tryId}/comments"]);
	const mayWrite = useFeature("peer_comment");
	if (!mayWrite) {
		return (
			<Alert tone="info">
				<T k="student.peerDenied" />
			</Alert>
		);
	}
	const save = (data: FormData, form: HTMLFormElement) => {
		const body = { positionMs, text: text(data, "text") ?? "" };
		write.mutate({ params: { tryId }, body }, { onSuccess: () => form.reset() });
	};
	return (
		<Form label={t("student.peerComment")} onSubmit={save} error={write.error ?? undefined}>
			<TextArea name="text" label="student.peerComment" hint="student.peerHint" maxLength={2000} />
			<Button look="primary" type="submit" icon="speak" busy={write.isPending}>
				<T k="try.commentAt" clock={clock(positionMs)} />
			</Button>
		</Form>
	);
}

export function TryPage({ params }: { params: { id: string } }) {
	const { userId } = useSelf();
	const { detail, comments } = useTry(params.id);
	const player = useRef<PlayerHandle>(null);
	const startMs = useMoment();
	const [positionMs, setPosition] = useState(0);
	const own = detail.data?.try;
	const title = own?.skillName ?? t("nav.tries");
	const isOwn = own?.userId === userId;
	const items = comments.data?.items ?? [];
	const goTo = (ms: number) => {
		player.current?.pause();
		player.current?.seek(ms);
	};
	return (
		<Page
			title={title}
			name={title}
			wide
			back={
				isOwn && own
					? { href: `/assignments/${own.assignmentId}`, label: "student.toLesson" }
					: { href: "/tries", label: "nav.tries" }
			}
			side={own && isOwn && <StateMark state={own.state} own />}
		>
			<Async of={detail}>
				{(data) => (
					<>
						<Compare
							ref={player}
							own={{
								src: contentOf(data.try.mediaId),
								name: isOwn ? <T k="media.own" /> : <T k="media.of" name={fullName(data.try)} />,
								label: isOwn ? t("media.own") : t("media.of", { name: fullName(data.try) }),
							}}
							modelSrc={data.modelMediaId && contentOf(data.modelMediaId)}
							marks={items.map(({ id, positionMs, text }) => ({ id, positionMs, label: text }))}
							startMs={startMs}
							onMove={setPosition}
						/>
						{isOwn && data.try.state === "recorded" && <SubmitBox tryId={data.try.id} />}
						<Section title={<T k="try.comments" />}>
							<Async of={comments}>
								{() => <Comments items={items} onGo={goTo} empty="try.noComments" />}
							</Async>
							{!isOwn && <PeerComment tryId={data.try.id} positionMs={positionMs} />}
						</Section>
						<EvaluationBox detail={data} />
						{isOwn && data.try.state !== "recorded" && (
							<ReflectionBox tryId={data.try.id} written={data.reflection} />
						)}
						{isOwn && (
							<Suspense>
								<TryLabel item={data.try} />
							</Suspense>
						)}
					</>
				)}
			</Async>
		</Page>
	);
}
