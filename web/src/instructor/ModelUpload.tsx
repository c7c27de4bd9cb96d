/* Gives a skill its model video: choose or record, send, set. */
import { useEffect, useRef, useState } from "react";
import { ApiError, api } from "../api/client";
import { T } from "../i18n";
import { ProgressBar } from "../media/ProgressBar";
import { Button } from "../ui/button";
import { Alert, errorText } from "../ui/states";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];

interface ModelUploadProps {
	unitId: string;
	skillId: string;
	hasModel: boolean;
	onSet: () => void;
}

interface Sending {
	file: File;
	uploadUrl?: string;
	sent: number;
}

export function ModelUpload({ unitId, skillId, hasModel, onSet }: ModelUploadProps) {
	const [sending, setSending] = useState<Sending>();
	const [isRunning, setRunning] = useState(false);
	const [error, setError] = useState<unknown>();
	const stop = useRef<AbortController>(undefined);
	useEffect(() => () => stop.current?.abort(), []);

	const send = async (file: File, uploadUrl?: string) => {
		stop.current = new AbortController();
		setError(undefined);
		setRunning(true);
		setSending({ file, uploadUrl, sent: 0 });
		try {
			const { transfer } = await import("../media/transfer");
			const mediaId = await transfer(file, {
				uploadUrl,
				signal: stop.current.signal,
				retryMs: RETRY_MS,
				onUrl: (url) => setSending((now) => now && { ...now, uploadUrl: url }),
				onProgress: (sent) => setSending((now) => now && { ...now, sent }),
			});
			const params = { unitId, skillId };
			await api("put", "/v1/units/{unitId}/skills/{skillId}/model", { params, body: { mediaId } });
			setSending(undefined);
			onSet();
		} catch (e) {
			if (e instanceof ApiError) setError(e);
		} finally {
			setRunning(false);
		}
	};
	return (
		<div className="model-upload">
			{sending && <ProgressBar sent={sending.sent} total={sending.file.size} />}
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
			<div className="actions">
				{isRunning ? (
					<Button icon="pause" onClick={() => stop.current?.abort()}>
						<T k="upload.pause" />
					</Button>
				) : (
					sending && (
						<Button
							look="primary"
							icon="upload"
							onClick={() => send(sending.file, sending.uploadUrl)}
						>
							<T k="upload.resume" />
						</Button>
					)
				)}
				{!isRunning && (
					<label className="button secondary file-button">
						<input
							type="file"
							accept="video/*"
							onChange={(event) => {
								const file = event.target.files?.[0];
								if (file) send(file);
								event.target.value = "";
							}}
						/>
						<T k={hasModel ? "units.replaceModel" : "units.addModel"} />
					</label>
				)}
			</div>
		</div>
	);
}
