/* The browser's own modal dialog: focus stays inside, Escape closes it. */
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { type Key, nameOf, T } from "../i18n";
import { Button } from "./button";
import { Alert, errorText } from "./states";

interface DialogProps {
	title: ReactNode;
	onClose: () => void;
	children: ReactNode;
	/** No close button, Escape does nothing: what it shows must be dealt with. */
	firm?: boolean;
}

export function Dialog({ title, onClose, children, firm }: DialogProps) {
	const ref = useRef<HTMLDialogElement>(null);
	const heading = useId();
	useEffect(() => {
		const dialog = ref.current;
		dialog?.showModal();
		return () => dialog?.close();
	}, []);
	return (
		<dialog
			ref={ref}
			aria-labelledby={heading}
			onCancel={(event) => {
				event.preventDefault();
				if (!firm) onClose();
			}}
			onClose={() => {
				// A browser may close a dialog in spite of onCancel when Escape is pressed again.
				if (firm && ref.current?.isConnected) ref.current.showModal();
			}}
		>
			<div className="dialog-head">
				<h2 id={heading} aria-label={nameOf(title)}>
					{title}
				</h2>
				{!firm && (
					<Button look="quiet" icon="close" onClick={onClose}>
						<T k="common.close" />
					</Button>
				)}
			</div>
			{children}
		</dialog>
	);
}

interface ConfirmProps {
	title: ReactNode;
	children: ReactNode;
	action: Key;
	/** What must be typed first, for what cannot be undone. */
	typed?: string;
	onConfirm: () => Promise<unknown>;
	onClose: () => void;
}

export function ConfirmDialog({
	title,
	children,
	action,
	typed,
	onConfirm,
	onClose,
}: ConfirmProps) {
	const [text, setText] = useState("");
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();
	const id = useId();
	const confirm = async () => {
		setBusy(true);
		try {
			await onConfirm();
			onClose();
		} catch (e) {
			setError(e);
			setBusy(false);
		}
	};
	return (
		<Dialog title={title} onClose={onClose}>
			{children}
			{typed !== undefined && (
				<div className="field">
					<label htmlFor={id}>
						<T k="common.typeToConfirm" text={typed} />
					</label>
					<input
						id={id}
						value={text}
						autoComplete="off"
						onChange={(event) => setText(event.target.value)}
					/>
				</div>
			)}
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
			<div className="actions">
				<Button
					look="danger"
					busy={isBusy}
					disabled={typed !== undefined && text.trim() !== typed}
					onClick={confirm}
				>
					<T k={action} />
				</Button>
				<Button onClick={onClose}>
					<T k="common.cancel" />
				</Button>
			</div>
		</Dialog>
	);
}
