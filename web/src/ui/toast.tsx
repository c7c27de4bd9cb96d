/* One short message at the bottom, with an optional way back. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";
import { T } from "../i18n";
import { Button } from "./button";

interface Toast {
	text: string;
	undo?: () => void;
}

const SHOWN_MS = 8000; // long enough to read and to reach the undo button

const Show = createContext<(toast: Toast) => void>(() => {});

export function useToast() {
	return useContext(Show);
}

export function ToastProvider({ children }: { children: ReactNode }) {
	const [toast, setToast] = useState<Toast>();
	const show = useCallback((next: Toast) => setToast(next), []);
	useEffect(() => {
		if (!toast) return;
		const timer = setTimeout(() => setToast(undefined), SHOWN_MS);
		return () => clearTimeout(timer);
	}, [toast]);
	const undo = () => {
		toast?.undo?.();
		setToast(undefined);
	};
	return (
		<Show value={show}>
			{children}
			<div className="toasts" role="status">
				{toast && (
					<div className="toast">
						<span>{toast.text}</span>
						{toast.undo && (
							<Button onClick={undo}>
								<T k="common.undo" />
							</Button>
						)}
					</div>
				)}
			</div>
		</Show>
	);
}
