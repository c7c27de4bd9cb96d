/* One video on its way: how far it is, pause, go on, give up. */
import { useState } from "react";
import { type Key, T } from "../i18n";
import { ProgressBar } from "../media/ProgressBar";
import type { ClipView } from "../media/queue";
import { uploads } from "../media/uploads";
import { Button, ButtonLink } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Alert, errorText } from "../ui/states";

export function UploadCard({ clip }: { clip: ClipView }) {
	const [isDeleting, setDeleting] = useState(false);
	const isMoving = clip.state === "sending" || clip.state === "waiting" || clip.state === "queued";
	return (
		<article className="upload">
			<h3>{clip.skillName}</h3>
			<p role="status" className={`upload-state ${clip.state}`}>
				<T k={`upload.${clip.state}` as Key} />
			</p>
			<ProgressBar sent={clip.sent} total={clip.total} />
			{clip.state === "failed" && <Alert>{errorText(clip.error)}</Alert>}
			<div className="actions">
				{clip.state === "done" && clip.tryId && (
					<ButtonLink href={`/tries/${clip.tryId}`} look="primary" icon="film">
						<T k="student.openTry" />
					</ButtonLink>
				)}
				{isMoving && (
					<Button icon="pause" onClick={() => uploads.pause(clip.id)}>
						<T k="upload.pause" />
					</Button>
				)}
				{(clip.state === "paused" || clip.state === "failed" || clip.state === "waiting") && (
					<Button look="primary" icon="upload" onClick={() => uploads.resume(clip.id)}>
						<T k="upload.resume" />
					</Button>
				)}
				{clip.state !== "done" && (
					<Button look="quiet" onClick={() => setDeleting(true)}>
						<T k="upload.remove" />
					</Button>
				)}
			</div>
			{isDeleting && (
				<ConfirmDialog
					title={<T k="upload.removeTitle" />}
					action="upload.remove"
					onConfirm={() => uploads.remove(clip.id)}
					onClose={() => setDeleting(false)}
				>
					<p>
						<T k="upload.removeText" />
					</p>
				</ConfirmDialog>
			)}
		</article>
	);
}
