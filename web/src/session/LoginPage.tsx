/* The first screen. */
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type ApiError, api } from "../api/client";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Form, PasswordField, TextField, text } from "../ui/form";
import { Logo } from "../ui/icons";
import { CodeField, showCode } from "./CodeField";
import { useSessionChanged } from "./session";

const TENANT = "manabiya.tenant"; // the school's code is no secret, and pupils need not type it twice

export function LoginPage() {
	const onLogin = useSessionChanged();
	const [challenge, setChallenge] = useState<string>();
	const code = useMutation<unknown, ApiError, string>({
		mutationFn: async (given) => {
			await showCode(challenge ?? "", given);
			await onLogin();
		},
	});
	const login = useMutation<unknown, ApiError, FormData>({
		mutationFn: async (data) => {
			const tenantCode = text(data, "tenantCode") ?? "";
			const username = text(data, "username") ?? "";
			const password = String(data.get("password") ?? "");
			const body = { tenantCode, username, password };
			const answer = await api("post", "/v1/sessions", { body, quiet: true });
			localStorage.setItem(TENANT, tenantCode);
			setChallenge(answer.challenge);
			if (!answer.challenge) await onLogin();
		},
	});
	useEffect(() => {
		document.title = `${t("login.title")} | ${t("common.product")}`;
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
				<h1 aria-label={t("login.title")}>
					<T k="login.title" />
				</h1>
				{challenge ? (
					<Form
						label={t("login.code")}
						error={code.error}
						onSubmit={(data) => code.mutate(text(data, "code") ?? "")}
					>
						<CodeField />
						<div className="actions">
							<Button look="primary" large type="submit" busy={code.isPending}>
								<T k="login.submit" />
							</Button>
							<Button onClick={() => setChallenge(undefined)}>
								<T k="common.cancel" />
							</Button>
						</div>
					</Form>
				) : (
					<Form
						label={t("login.title")}
						error={login.error}
						onSubmit={(data) => login.mutate(data)}
					>
						<TextField
							name="tenantCode"
							label="login.tenantCode"
							hint="login.tenantCodeHint"
							defaultValue={localStorage.getItem(TENANT) ?? ""}
							autoComplete="organization"
							autoCapitalize="none"
							spellCheck={false}
							maxLength={32}
						/>
						<TextField
							name="username"
							label="login.username"
							autoComplete="username"
							autoCapitalize="none"
							spellCheck={false}
							maxLength={64}
						/>
						<PasswordField
							name="password"
							label="login.password"
							autoComplete="current-password"
							maxLength={256}
						/>
						<Button look="primary" large type="submit" busy={login.isPending}>
							<T k="login.submit" />
						</Button>
					</Form>
				)}
				<p className="small login-help">
					<T k="login.help" />
				</p>
			</div>
		</main>
	);
}
