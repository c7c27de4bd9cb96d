/* Taking the second factor away from a colleague who has lost it. */
import { useState } from "react";
import { api } from "../api/client";
import type { User } from "../api/types";
import { addTexts, T } from "../i18n";
import { fullName } from "../shared/home";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import en from "./reset.en.json";
import ja from "./reset.ja.json";

addTexts({ ja, en });

export function Reset({ user }: { user: User }) {
	const [isAsking, setAsking] = useState(false);
	const params = { userId: user.id };
	return (
		<>
			<Button onClick={() => setAsking(true)}>
				<T k="users.secondFactor" />
			</Button>
			{isAsking && (
				<ConfirmDialog
					title={<T k="users.secondFactor" />}
					action="users.secondFactor"
					onConfirm={() => api("delete", "/v1/users/{userId}/second-factor", { params })}
					onClose={() => setAsking(false)}
				>
					<p>
						<T k="users.secondFactorText" name={fullName(user)} />
					</p>
				</ConfirmDialog>
			)}
		</>
	);
}
