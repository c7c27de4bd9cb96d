/*
 * The password is wanted over an open page: because the session ended, or because what was asked for
 * is dangerous and the last login a while ago. Nothing typed is lost; what failed then goes on.
 */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type ApiError, api, onPasswordNeeded, type Reason } from "../api/client";
import type { Self } from "../api/types";
import { type Key, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Form, PasswordField } from "../ui/form";
import { CodeField, type Proven, showCode } from "./CodeField";
import { SESSION } from "./session";

interface Words {
	title: Key;
	text: Key;
	submit: Key;
	leave: Key;
}

const WORDS: Record<Reason, Words> = {
	login: {
		title: "relogin.title",
		text: "relogin.text",
		submit: "login.submit",
		leave: "relogin.leave",
	},
	stepUp: {
		title: "stepUp.title",
		text: "stepUp.text",
		submit: "stepUp.submit",
		leave: "common.cancel",
	},
};

function prove(reason: Reason, { tenantCode, username }: Self, password: string): Promise<Proven> {
	return reason === "login"
		? api("post", "/v1/sessions", { body: { tenantCode, username, password }, quiet: true })
		: api("post", "/v1/session/step-up", { body: { password }, quiet: true });
}

interface DialogProps {
	self: Self;
	reason: Reason;
	onDone: (proven: boolean) => void;
}

export function PasswordDialog({ self, reason, onDone }: DialogProps) {
	const words = WORDS[reason];
	const isLogin = reason === "login";
	const [challenge, setChallenge] = useState<string>();
	const proof = useMutation<Proven, ApiError, string>({
		mutationFn: (secret) => (challenge ? showCode(challenge, secret) : prove(reason, self, secret)),
		onSuccess: (next) => (next.challenge ? setChallenge(next.challenge) : onDone(true)),
	});
	const leave = () => {
		onDone(false);
		if (isLogin) window.location.assign("/");
	};
	return (
		<Dialog title={<T k={words.title} />} onClose={() => onDone(false)} firm={isLogin}>
			<p>
				<T k={words.text} name={self.username} />
			</p>
			<Form
				label={t(words.title)}
				error={proof.error}
				onSubmit={(data) => proof.mutate(String(data.get("code") ?? data.get("password")))}
			>
				{challenge ? (
					<CodeField />
				) : (
					<PasswordField name="password" label="login.password" autoComplete="current-password" />
				)}
				<div className="actions">
					<Button look="primary" type="submit" busy={proof.isPending}>
						<T k={words.submit} />
					</Button>
					<Button onClick={leave}>
						<T k={words.leave} />
					</Button>
				</div>
			</Form>
		</Dialog>
	);
}

/** Who asks meanwhile waits for the same answer; a login serves both reasons. */
export function PasswordAgain() {
	const client = useQueryClient();
	const [asked, setAsked] = useState<{ self: Self; reason: Reason }>();
	const waiting = useRef<((proven: boolean) => void)[]>([]);

	useEffect(() => {
		onPasswordNeeded((reason) => {
			const self = client.getQueryData<Self | null>([SESSION]);
			if (!self) return Promise.resolve(false);
			setAsked((before) => (before?.reason === "login" ? before : { self, reason }));
			return new Promise((resolve) => waiting.current.push(resolve));
		});
	}, [client]);

	const settle = (proven: boolean) => {
		setAsked(undefined);
		for (const resolve of waiting.current.splice(0)) resolve(proven);
	};
	return asked ? <PasswordDialog key={asked.reason} {...asked} onDone={settle} /> : null;
}
