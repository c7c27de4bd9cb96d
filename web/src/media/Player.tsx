/*
 * A video with what a PE lesson needs: slow motion, step by frame, marks at the comments. Whoever
 * holds the handle can seek and read the present moment.
 */
import { type Ref, useCallback, useEffect, useImperativeHandle, useRef, useState } from "react";
import { clock } from "../format/time";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Empty } from "../ui/states";

export interface PlayerHandle {
	positionMs(): number;
	seek(ms: number): void;
	play(): void;
	pause(): void;
}

export interface Mark {
	id: string;
	positionMs: number;
	label: string;
}

interface PlayerProps {
	src: string;
	label: string;
	marks?: Mark[];
	startMs?: number;
	onMove?: (ms: number) => void;
	ref?: Ref<PlayerHandle>;
}

const FRAME_S = 1 / 30;
const SLOW = 0.5;

export function contentOf(mediaId: string): string {
	return `/v1/media/${encodeURIComponent(mediaId)}/content`;
}

export function Player({ src, label, marks = [], startMs, onMove, ref }: PlayerProps) {
	const video = useRef<HTMLVideoElement>(null);
	const [isSlow, setSlow] = useState(false);
	const [durationMs, setDuration] = useState(0);
	const [isBroken, setBroken] = useState(false);
	const wanted = useRef(startMs);

	const seek = useCallback((ms: number) => {
		wanted.current = ms;
		const element = video.current;
		if (element && element.readyState >= HTMLMediaElement.HAVE_METADATA) {
			element.currentTime = ms / 1000;
		}
	}, []);
	useImperativeHandle(ref, () => ({
		positionMs: () => Math.round((video.current?.currentTime ?? 0) * 1000),
		seek,
		play: () => void video.current?.play(),
		pause: () => video.current?.pause(),
	}));
	useEffect(() => {
		if (startMs !== undefined) seek(startMs);
	}, [startMs, seek]);

	const loaded = () => {
		const element = video.current;
		if (!element) return;
		if (element.duration === Number.POSITIVE_INFINITY) {
			// A recording straight from the browser has no length until its end has been seen.
			element.addEventListener("durationchange", settled);
			element.currentTime = 1e6;
			return;
		}
		settled();
	};
	const settled = () => {
		const element = video.current;
		if (!element || !Number.isFinite(element.duration)) return;
		element.removeEventListener("durationchange", settled);
		setDuration(element.duration * 1000);
		element.currentTime = (wanted.current ?? 0) / 1000;
	};
	const step = (frames: number) => {
		const element = video.current;
		if (!element) return;
		element.pause();
		element.currentTime = Math.max(0, element.currentTime + frames * FRAME_S);
	};
	const toggleSlow = () => {
		if (video.current) video.current.playbackRate = isSlow ? 1 : SLOW;
		setSlow(!isSlow);
	};
	if (isBroken) return <Empty k="media.broken" />;
	return (
		<div className="player">
			<video
				ref={video}
				src={src}
				aria-label={label}
				controls
				playsInline
				muted
				preload="metadata"
				disablePictureInPicture
				controlsList="nodownload noremoteplayback"
				onLoadedMetadata={loaded}
				onError={() => setBroken(true)}
				onTimeUpdate={(event) => onMove?.(Math.round(event.currentTarget.currentTime * 1000))}
				onSeeked={(event) => onMove?.(Math.round(event.currentTarget.currentTime * 1000))}
			/>
			{marks.length > 0 && durationMs > 0 && (
				<ul className="marks" aria-label={t("media.marks")}>
					{marks.map((mark) => (
						<li
							key={mark.id}
							style={{ left: `${Math.min(100, (100 * mark.positionMs) / durationMs)}%` }}
						>
							<button type="button" title={mark.label} onClick={() => seek(mark.positionMs)}>
								<span className="hidden">{clock(mark.positionMs)}</span>
							</button>
						</li>
					))}
				</ul>
			)}
			<div className="player-tools">
				<Button icon="back" onClick={() => step(-1)} aria-label={t("media.frameBack")}>
					<T k="media.frame" />
				</Button>
				<Button icon="next" onClick={() => step(1)} aria-label={t("media.frameNext")}>
					<T k="media.frame" />
				</Button>
				<Button aria-pressed={isSlow} onClick={toggleSlow}>
					<T k="media.slow" />
				</Button>
			</div>
		</div>
	);
}
