/* Which functions are denied; the same form for a contract and for one user. */
import { useState } from "react";
import type { Feature } from "../api/types";
import { T } from "../i18n";
import { Alert, errorText } from "../ui/states";
import { Switch } from "../ui/switch";

const FEATURES: Feature[] = ["video_upload", "peer_comment"];

interface FeatureFormProps {
	denied: Feature[];
	onChange: (denied: Feature[]) => Promise<unknown>;
}

export function FeatureForm({ denied, onChange }: FeatureFormProps) {
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();
	const toggle = async (feature: Feature, isAllowed: boolean) => {
		setBusy(true);
		setError(undefined);
		try {
			await onChange(isAllowed ? denied.filter((item) => item !== feature) : [...denied, feature]);
		} catch (e) {
			setError(e);
		} finally {
			setBusy(false);
		}
	};
	return (
		<>
			{FEATURES.map((feature) => (
				<div key={feature}>
					<Switch
						checked={!denied.includes(feature)}
						disabled={isBusy}
						onChange={(isAllowed) => toggle(feature, isAllowed)}
					>
						<T k={`feature.${feature}`} />
					</Switch>
					<p className="hint">
						<T k={`feature.${feature}.hint`} />
					</p>
				</div>
			))}
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
		</>
	);
}
