/* The own video beside the model, played together. */
import { type ReactNode, type Ref, useRef } from "react";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { type Mark, Player, type PlayerHandle } from "./Player";

interface CompareProps {
	own: { src: string; name: ReactNode; label: string };
	modelSrc?: string;
	marks?: Mark[];
	startMs?: number;
	onMove?: (ms: number) => void;
	ref?: Ref<PlayerHandle>;
}

export function Compare({ own, modelSrc, marks, startMs, onMove, ref }: CompareProps) {
	const mine = useRef<PlayerHandle>(null);
	const model = useRef<PlayerHandle>(null);
	const both = (act: (player: PlayerHandle) => void) => {
		for (const player of [mine.current, model.current]) if (player) act(player);
	};
	const together = () =>
		both((player) => {
			player.seek(0);
			player.play();
		});
	const setMine = (handle: PlayerHandle | null) => {
		mine.current = handle;
		if (typeof ref === "function") ref(handle);
		else if (ref) ref.current = handle;
	};
	return (
		<>
			<div className={modelSrc ? "compare two" : "compare"}>
				<figure>
					<figcaption>{own.name}</figcaption>
					<Player
						ref={setMine}
						src={own.src}
						label={own.label}
						marks={marks}
						startMs={startMs}
						onMove={onMove}
					/>
				</figure>
				{modelSrc && (
					<figure>
						<figcaption>
							<T k="media.model" />
						</figcaption>
						<Player ref={model} src={modelSrc} label={t("media.model")} />
					</figure>
				)}
			</div>
			{modelSrc && (
				<div className="actions">
					<Button icon="play" onClick={together}>
						<T k="media.together" />
					</Button>
					<Button icon="pause" onClick={() => both((player) => player.pause())}>
						<T k="media.pauseBoth" />
					</Button>
				</div>
			)}
		</>
	);
}
