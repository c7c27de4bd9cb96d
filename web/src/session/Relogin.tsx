/*
 * The session ended while a page was open: ask for the password over the page, so that nothing typed
 * is lost, then let what failed go on.
 */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type ApiError, api, onUnauthenticated } from "../api/client";
import type { Self } from "../api/types";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Form, PasswordField } from "../ui/form";
import { SESSION } from "./session";

export function Relogin() {
	const client = useQueryClient();
	const [self, setSelf] = useState<Self>();
	const waiting = useRef<((again: boolean) => void)[]>([]);

	useEffect(() => {
		onUnauthenticated(() => {
			const known = client.getQueryData<Self | null>([SESSION]);
			if (!known) return Promise.resolve(false);
			setSelf(known);
			return new Promise((resolve) => waiting.current.push(resolve));
		});
	}, [client]);

	const settle = (again: boolean) => {
		setSelf(undefined);
		for (const resolve of waiting.current.splice(0)) resolve(again);
	};
	const login = useMutation<unknown, ApiError, { self: Self; password: string }>({
		mutationFn: ({ self: { tenantCode, username }, password }) =>
			api("post", "/v1/sessions", { body: { tenantCode, username, password }, quiet: true }),
		onSuccess: () => settle(true),
	});
	if (!self) return null;
	return (
		<Dialog title={<T k="relogin.title" />} onClose={() => settle(false)} firm>
			<p>
				<T k="relogin.text" name={self.username} />
			</p>
			<Form
				label={t("relogin.title")}
				error={login.error}
				onSubmit={(data) => login.mutate({ self, password: String(data.get("password")) })}
			>
				<PasswordField name="password" label="login.password" autoComplete="current-password" />
				<div className="actions">
					<Button look="primary" type="submit" busy={login.isPending}>
						<T k="login.submit" />
					</Button>
					<Button
						onClick={() => {
							settle(false);
							window.location.assign("/");
						}}
					>
						<T k="relogin.leave" />
					</Button>
				</div>
			</Form>
		</Dialog>
	);
}
