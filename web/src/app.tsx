/* The root: the login for strangers, everything else for people who are known. */
import { Suspense, useEffect } from "react";
import { PasswordAgain } from "./session/PasswordAgain";
import { SelfProvider, useSession } from "./session/session";
import { applyDisplay, useDisplay } from "./shell/display";
import { Boundary } from "./ui/Boundary";
import { later } from "./ui/later";
import { ErrorBox, Loading } from "./ui/states";
import { ToastProvider } from "./ui/toast";

const LoginPage = later(async () => (await import("./session/LoginPage")).LoginPage);
const Inside = later(async () => (await import("./inside")).Inside);

function Gate() {
	const session = useSession();
	const display = useDisplay();
	const self = session.data;
	const isStaff = Boolean(self && self.role !== "student");
	useEffect(() => applyDisplay(display, isStaff), [display, isStaff]);

	if (self === undefined) {
		return session.error ? (
			<ErrorBox error={session.error} onRetry={() => session.refetch()} />
		) : (
			<Loading />
		);
	}
	return (
		<Suspense fallback={<Loading />}>
			{self === null ? (
				<LoginPage />
			) : (
				<SelfProvider value={self}>
					<Inside />
				</SelfProvider>
			)}
		</Suspense>
	);
}

export function App() {
	return (
		<Boundary>
			<ToastProvider>
				<Gate />
				<PasswordAgain />
			</ToastProvider>
		</Boundary>
	);
}
