/*
 * The camera: look, count 3-2-1, record, stop. The video never touches the device's camera roll;
 * there is no sound, because nobody needs the voices of a whole class.
 */
import { useEffect, useRef, useState } from "react";
import { clock } from "../format/time";
import { type Key, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Alert, Loading } from "../ui/states";

const TYPES = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
const LONGEST_MS = 60_000; // a skill takes seconds; longer clips only cost the school's network
const BITS_PER_SECOND = 2_200_000;
const COUNTDOWN_FROM = 3;

type Phase = "opening" | "ready" | "counting" | "recording" | "refused";

export function canRecord(): boolean {
	return Boolean(navigator.mediaDevices?.getUserMedia) && typeof MediaRecorder !== "undefined";
}

function bestType(): string {
	return TYPES.find((type) => MediaRecorder.isTypeSupported(type)) ?? "";
}

function refusal(error: unknown): Key {
	const name = error instanceof DOMException ? error.name : "";
	if (name === "NotAllowedError") return "media.cameraDenied";
	if (name === "NotFoundError" || name === "OverconstrainedError") return "media.cameraMissing";
	return "media.cameraBusy";
}

interface RecorderProps {
	onRecorded: (file: Blob) => void;
	onCancel: () => void;
}

export function Recorder({ onRecorded, onCancel }: RecorderProps) {
	const video = useRef<HTMLVideoElement>(null);
	const stream = useRef<MediaStream>(undefined);
	const recorder = useRef<MediaRecorder>(undefined);
	const [facing, setFacing] = useState<"environment" | "user">("environment");
	const [phase, setPhase] = useState<Phase>("opening");
	const [reason, setReason] = useState<Key>("media.cameraBusy");
	const [count, setCount] = useState(COUNTDOWN_FROM);
	const [elapsedMs, setElapsed] = useState(0);

	useEffect(() => {
		let isOver = false;
		const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
		setPhase("opening");
		navigator.mediaDevices
			.getUserMedia({ audio: false, video: { facingMode: facing, ...size } })
			.then((opened) => {
				if (isOver) return stopAll(opened);
				stream.current = opened;
				if (video.current) video.current.srcObject = opened;
				setPhase("ready");
			})
			.catch((error) => {
				if (isOver) return;
				setReason(refusal(error));
				setPhase("refused");
			});
		return () => {
			isOver = true;
			if (recorder.current?.state === "recording") {
				recorder.current.onstop = null;
				recorder.current.stop();
			}
			if (stream.current) stopAll(stream.current);
		};
	}, [facing]);

	useEffect(() => {
		if (phase !== "counting") return;
		const timer = setTimeout(() => (count > 1 ? setCount(count - 1) : begin()), 1000);
		return () => clearTimeout(timer);
	});

	useEffect(() => {
		if (phase !== "recording") return;
		const start = performance.now();
		const timer = setInterval(() => {
			const passed = performance.now() - start;
			setElapsed(passed);
			if (passed >= LONGEST_MS) recorder.current?.stop();
		}, 100);
		return () => clearInterval(timer);
	}, [phase]);

	const begin = () => {
		if (!stream.current) return;
		const parts: Blob[] = [];
		const mimeType = bestType();
		const made = new MediaRecorder(stream.current, {
			...(mimeType && { mimeType }),
			videoBitsPerSecond: BITS_PER_SECOND,
		});
		made.ondataavailable = (event) => {
			if (event.data.size > 0) parts.push(event.data);
		};
		made.onstop = () => onRecorded(new Blob(parts, { type: made.mimeType || mimeType }));
		recorder.current = made;
		made.start();
		setElapsed(0);
		setPhase("recording");
	};
	if (phase === "refused") {
		return (
			<Alert tone="warning">
				<p>
					<T k={reason} />
				</p>
				<Button onClick={onCancel}>
					<T k="common.back" />
				</Button>
			</Alert>
		);
	}
	return (
		<div className="recorder">
			<div className="viewfinder">
				<video ref={video} aria-label={t("media.viewfinder")} autoPlay muted playsInline />
				{phase === "opening" && <Loading />}
				{phase === "counting" && (
					<output className="countdown" aria-live="assertive">
						{count}
					</output>
				)}
				{phase === "recording" && (
					<output className="recording">
						<span className="recording-dot" aria-hidden="true" />
						<T k="media.recording" /> {clock(elapsedMs)}
					</output>
				)}
			</div>
			<div className="actions center">
				{phase === "recording" ? (
					<Button look="danger" large icon="stop" onClick={() => recorder.current?.stop()}>
						<T k="media.stop" />
					</Button>
				) : (
					<Button
						look="primary"
						large
						icon="camera"
						disabled={phase !== "ready"}
						onClick={() => {
							setCount(COUNTDOWN_FROM);
							setPhase("counting");
						}}
					>
						<T k="media.start" />
					</Button>
				)}
				{phase === "ready" && (
					<Button icon="turn" onClick={() => setFacing(facing === "user" ? "environment" : "user")}>
						<T k="media.turn" />
					</Button>
				)}
				{phase !== "recording" && (
					<Button look="quiet" onClick={onCancel}>
						<T k="common.cancel" />
					</Button>
				)}
			</div>
		</div>
	);
}

function stopAll(stream: MediaStream): void {
	for (const track of stream.getTracks()) track.stop();
}
