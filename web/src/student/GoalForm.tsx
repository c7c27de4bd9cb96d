/* Today's goal and condition: one line and one face. */
import { useState } from "react";
import { ApiError } from "../api/client";
import { useApi, useWrite } from "../api/hooks";
import type { Goal } from "../api/types";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Choices, Form, TextField, text } from "../ui/form";
import { Face } from "../ui/icons";
import { Section } from "../ui/page";
import { ErrorBox, Loading } from "../ui/states";

const CONDITIONS = (["5", "4", "3", "2", "1"] as const).map((value) => ({
	value,
	label: `condition.${value}` as const,
	picture: <Face mood={(Number(value) - 1) / 4} />,
}));

function Written({ goal, onEdit }: { goal: Goal; onEdit: () => void }) {
	return (
		<div className="goal-written">
			<Face mood={(goal.condition - 1) / 4} />
			<p className="goal-text">{goal.goal}</p>
			<Button onClick={onEdit}>
				<T k="student.goalChange" />
			</Button>
		</div>
	);
}

export function GoalForm({ assignmentId }: { assignmentId: string }) {
	const params = { assignmentId };
	const written = useApi("/v1/assignments/{assignmentId}/goal", { params });
	const write = useWrite("put", "/v1/assignments/{assignmentId}/goal", [
		"/v1/assignments/{assignmentId}/goal",
	]);
	const [isEditing, setEditing] = useState(false);
	const isMissing = written.error instanceof ApiError && written.error.status === 404;
	const goal = isMissing ? undefined : written.data;

	const save = (data: FormData) => {
		const body = { goal: text(data, "goal") ?? "", condition: Number(data.get("condition")) };
		write.mutate({ params, body }, { onSuccess: () => setEditing(false) });
	};
	return (
		<Section title={<T k="student.goal" />}>
			{written.isPending ? (
				<Loading />
			) : written.error && !isMissing && !goal ? (
				<ErrorBox error={written.error} onRetry={() => written.refetch()} />
			) : goal && !isEditing ? (
				<Written goal={goal} onEdit={() => setEditing(true)} />
			) : (
				<Form label={t("student.goal")} onSubmit={save} error={write.error ?? undefined}>
					<TextField
						name="goal"
						label="student.goalLabel"
						hint="student.goalHint"
						maxLength={200}
						defaultValue={goal?.goal}
					/>
					<Choices
						name="condition"
						legend="student.condition"
						options={CONDITIONS}
						defaultValue={goal && String(goal.condition)}
					/>
					<Button look="primary" large type="submit" icon="check" busy={write.isPending}>
						<T k="student.goalSave" />
					</Button>
				</Form>
			)}
		</Section>
	);
}
