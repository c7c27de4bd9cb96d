/* One skill: watch the model, record, look at it beside the model, send. */
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { useApi } from "../api/hooks";
import type { UnitSkill } from "../api/types";
import { T, t } from "../i18n";
import { Compare } from "../media/Compare";
import { contentOf, Player } from "../media/Player";
import { canRecord, Recorder } from "../media/Recorder";
import { addClip, useUploads } from "../media/uploads";
import { useFeature, useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Page, Section } from "../ui/page";
import { Alert, Async, Empty, errorText } from "../ui/states";
import { UploadCard } from "./UploadCard";

const LARGEST_BYTES = 268_435_456; // the server's limit for one video

interface MakeTryProps {
	assignmentId: string;
	skill: UnitSkill;
	onAdded: (clipId: string) => void;
}

function FilePicker({ onPicked }: { onPicked: (file: File) => void }) {
	return (
		<label className="button secondary large file-button">
			<input
				type="file"
				accept="video/*"
				aria-label={t("media.choose")}
				onChange={(event) => {
					const file = event.target.files?.[0];
					if (file) onPicked(file);
					event.target.value = "";
				}}
			/>
			<T k="media.choose" />
		</label>
	);
}

function Preview({ file, skill, onAgain, onSend, error }: PreviewProps) {
	const [src, setSrc] = useState("");
	useEffect(() => {
		const url = URL.createObjectURL(file);
		setSrc(url);
		return () => URL.revokeObjectURL(url);
	}, [file]);
	return (
		<>
			{src && (
				<Compare
					own={{ src, name: <T k="media.own" />, label: t("media.own") }}
					modelSrc={skill.modelMediaId && contentOf(skill.modelMediaId)}
				/>
			)}
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
			<div className="actions">
				<Button look="primary" large icon="send" onClick={() => onSend(true)}>
					<T k="student.send" />
				</Button>
				<Button large icon="upload" onClick={() => onSend(false)}>
					<T k="student.keep" />
				</Button>
				<Button large look="quiet" icon="retry" onClick={onAgain}>
					<T k="student.again" />
				</Button>
			</div>
		</>
	);
}

interface PreviewProps {
	file: Blob;
	skill: UnitSkill;
	onAgain: () => void;
	onSend: (submit: boolean) => void;
	error: unknown;
}

function MakeTry({ assignmentId, skill, onAdded }: MakeTryProps) {
	const { userId } = useSelf();
	const [isOpen, setOpen] = useState(false);
	const [file, setFile] = useState<Blob>();
	const [isTooLarge, setTooLarge] = useState(false);
	const [error, setError] = useState<unknown>();

	const take = (taken: Blob) => {
		setOpen(false);
		setTooLarge(taken.size > LARGEST_BYTES);
		if (taken.size > 0 && taken.size <= LARGEST_BYTES) setFile(taken);
	};
	const send = async (submit: boolean) => {
		if (!file) return;
		try {
			const { skillId, name: skillName } = skill;
			onAdded(await addClip({ userId, assignmentId, skillId, skillName, file, submit }));
			setFile(undefined);
		} catch (e) {
			setError(e);
		}
	};
	if (file) {
		return (
			<Preview
				file={file}
				skill={skill}
				onAgain={() => setFile(undefined)}
				onSend={send}
				error={error}
			/>
		);
	}
	if (isOpen) return <Recorder onRecorded={take} onCancel={() => setOpen(false)} />;
	return (
		<>
			{isTooLarge && (
				<Alert>
					<T k="media.tooLarge" />
				</Alert>
			)}
			<div className="actions">
				{canRecord() && (
					<Button look="primary" large icon="camera" onClick={() => setOpen(true)}>
						<T k="media.openCamera" />
					</Button>
				)}
				<FilePicker onPicked={take} />
			</div>
		</>
	);
}

function Skill({ assignmentId, skill }: { assignmentId: string; skill: UnitSkill }) {
	const [, go] = useLocation();
	const mayUpload = useFeature("video_upload");
	const [clipId, setClipId] = useState<string>();
	const clips = useUploads().filter(
		(clip) => clip.skillId === skill.skillId && clip.assignmentId === assignmentId,
	);
	const own = clips.find((clip) => clip.id === clipId);
	useEffect(() => {
		if (own?.state === "done" && own.tryId) go(`/tries/${own.tryId}`);
	}, [own, go]);
	return (
		<>
			<Section title={<T k="media.model" />}>
				<div className="model-row">
					{skill.modelMediaId ? (
						<div className="single-video">
							<Player src={contentOf(skill.modelMediaId)} label={t("media.model")} />
						</div>
					) : (
						<Empty k="student.noModel" />
					)}
					{skill.points && (
						<div className="points">
							<h3>
								<T k="student.points" />
							</h3>
							<p className="written">{skill.points}</p>
						</div>
					)}
				</div>
			</Section>
			<Section title={<T k="student.myVideo" />}>
				{clips.map((clip) => (
					<UploadCard key={clip.id} clip={clip} />
				))}
				{mayUpload ? (
					!own && <MakeTry assignmentId={assignmentId} skill={skill} onAdded={setClipId} />
				) : (
					<Alert tone="warning">
						<T k="student.uploadDenied" />
					</Alert>
				)}
			</Section>
		</>
	);
}

export function SkillPage({ params }: { params: { id: string; skillId: string } }) {
	const assignment = useApi("/v1/assignments/{assignmentId}", {
		params: { assignmentId: params.id },
	});
	const unitId = assignment.data?.unitId ?? "";
	const unit = useApi("/v1/units/{unitId}", { params: { unitId }, enabled: unitId !== "" });
	const skill = unit.data?.skills.find((item) => item.skillId === params.skillId);
	const title = skill?.name ?? t("student.skills");
	return (
		<Page
			title={title}
			name={title}
			wide
			back={{ href: `/assignments/${params.id}`, label: "student.toLesson" }}
		>
			<Async of={assignment}>
				{() => (
					<Async of={unit}>
						{() =>
							skill ? (
								<Skill assignmentId={params.id} skill={skill} />
							) : (
								<Empty k="error.notFoundText" />
							)
						}
					</Async>
				)}
			</Async>
		</Page>
	);
}
