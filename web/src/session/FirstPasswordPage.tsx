/* The first login with a one-time secret: nothing else works until an own password is set. */
import { useEffect } from "react";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Logo } from "../ui/icons";
import { Alert } from "../ui/states";
import { PasswordForm } from "./PasswordForm";
import { logout, useSessionChanged } from "./session";

export function FirstPasswordPage() {
	const changed = useSessionChanged();
	useEffect(() => {
		document.title = `${t("password.firstTitle")} | ${t("common.product")}`;
	}, []);
	return (
		<main className="login" id="main">
			<div className="login-card">
				<div className="brand">
					<Logo />
					<span>
						<T k="common.product" />
					</span>
				</div>
				<h1 aria-label={t("password.firstTitle")}>
					<T k="password.firstTitle" />
				</h1>
				<Alert tone="info">
					<T k="password.firstText" />
				</Alert>
				<PasswordForm onDone={changed} />
				<Button look="quiet" onClick={() => logout()}>
					<T k="nav.logout" />
				</Button>
			</div>
		</main>
	);
}
