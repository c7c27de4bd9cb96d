/* The code of a second factor: that which the app shows, or a recovery code. */
import { api } from "../api/client";
import { TextField } from "../ui/form";

/** What a proof comes to: a challenge, if a code is wanted too. */
export interface Proven {
	token?: string;
	challenge?: string;
}

/** The second step of a login, after a password that was right. */
export function showCode(challenge: string, code: string): Promise<Proven> {
	return api("post", "/v1/sessions/second-factor", { body: { challenge, code }, quiet: true });
}

export function CodeField() {
	return <TextField name="code" label="login.code" autoComplete="one-time-code" />;
}
