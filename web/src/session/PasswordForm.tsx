/* Changing one's own password: forced at the first login, free later. */

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type ApiError, api } from "../api/client";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Form, PasswordField } from "../ui/form";
import { Alert } from "../ui/states";
import { useSelf } from "./session";

const STAFF_MIN = 15;
const STUDENT_MIN = 8;

export function PasswordForm({ onDone }: { onDone: () => Promise<unknown> | undefined }) {
	const isStudent = useSelf().role === "student";
	const min = isStudent ? STUDENT_MIN : STAFF_MIN;
	const [differs, setDiffers] = useState(false);
	const change = useMutation<unknown, ApiError, FormData>({
		mutationFn: async (data) => {
			const currentPassword = String(data.get("currentPassword"));
			const newPassword = String(data.get("newPassword"));
			await api("put", "/v1/password", { body: { currentPassword, newPassword }, quiet: true });
			await onDone();
		},
	});
	return (
		<Form
			label={t("password.title")}
			error={change.error}
			onSubmit={(data, form) => {
				const isSame = data.get("newPassword") === data.get("repeated");
				setDiffers(!isSame);
				if (isSame) change.mutate(data, { onSuccess: () => form.reset() });
			}}
		>
			<PasswordField
				name="currentPassword"
				label="password.current"
				hint="password.currentHint"
				autoComplete="current-password"
			/>
			<PasswordField
				name="newPassword"
				label="password.new"
				hint={isStudent ? "password.hintStudent" : "password.hintStaff"}
				autoComplete="new-password"
				minLength={min}
				maxLength={256}
			/>
			<PasswordField
				name="repeated"
				label="password.repeat"
				autoComplete="new-password"
				maxLength={256}
			/>
			{differs && (
				<Alert>
					<T k="password.differs" />
				</Alert>
			)}
			{change.isSuccess && (
				<Alert tone="success">
					<T k="password.done" />
				</Alert>
			)}
			<Button look="primary" large type="submit" busy={change.isPending}>
				<T k="password.submit" />
			</Button>
		</Form>
	);
}
