/* On or off, taking effect at once. */
import type { ReactNode } from "react";
import { nameOf } from "../i18n";

interface SwitchProps {
	checked: boolean;
	disabled?: boolean;
	onChange: (checked: boolean) => void;
	children: ReactNode;
}

export function Switch({ checked, disabled, onChange, children }: SwitchProps) {
	return (
		<label className="switch">
			<input
				type="checkbox"
				role="switch"
				aria-label={nameOf(children)}
				aria-checked={checked}
				checked={checked}
				disabled={disabled}
				onChange={(event) => onChange(event.target.checked)}
			/>
			<span>{children}</span>
		</label>
	);
}
