/* How much of a file has been sent. */

import { fileSize } from "../format/time";
import { T, t } from "../i18n";

export function ProgressBar({ sent, total }: { sent: number; total: number }) {
	const percent = total > 0 ? Math.min(100, Math.floor((100 * sent) / total)) : 0;
	return (
		<div className="progress">
			<progress max={100} value={percent} aria-label={t("media.progress")}>
				{percent} %
			</progress>
			<span>
				<T k="media.progressOf" percent={percent} total={fileSize(total)} />
			</span>
		</div>
	);
}
