/* The class of one video, unit, user or school class: raised at once, lowered with a reason. Loaded when it is shown. */
import { useState } from "react";
import { useWrite } from "../api/hooks";
import type { LoweringReason, SchoolClass, Try, UnitDetail, User } from "../api/types";
import { type Key, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Form, SelectField } from "../ui/form";
import { Section } from "../ui/page";
import { useToast } from "../ui/toast";
import "./labelTexts";

const CLASSES = ["I", "II", "III", "IV"] as const; // the gravest first
type Class = (typeof CLASSES)[number];
const REASONS: LoweringReason[] = ["raised_by_mistake", "consent_given", "no_longer_sensitive"];

interface Change<C> {
	label: C;
	reason?: LoweringReason;
}

interface LabelFormProps<C> {
	choices: C[];
	now: C;
	hint: Key;
	error: unknown;
	isPending: boolean;
	onChange: (change: Change<C>) => void;
}

function LabelForm<C extends Class>({ choices, now, hint, ...write }: LabelFormProps<C>) {
	const [wanted, setWanted] = useState<C>(now);
	const isLower = CLASSES.indexOf(wanted) > CLASSES.indexOf(now);
	const save = (data: FormData) => {
		const reason = data.get("reason") as LoweringReason | null;
		write.onChange({ label: wanted, reason: reason ?? undefined });
	};
	return (
		<Section title={<T k="label.title" />}>
			<Form label={t("label.title")} onSubmit={save} error={write.error ?? undefined}>
				<SelectField
					name="label"
					label="label.class"
					hint={hint}
					value={wanted}
					options={choices.map((value) => ({ value, text: t(`label.${value}`) }))}
					onChange={(value) => setWanted(value as C)}
				/>
				{isLower && (
					<SelectField
						name="reason"
						label="label.reason"
						blank="label.choose"
						options={REASONS.map((value) => ({ value, text: t(`label.reason.${value}`) }))}
					/>
				)}
				{wanted !== now && (
					<Button type="submit" icon="check" busy={write.isPending}>
						<T k="label.save" />
					</Button>
				)}
			</Form>
		</Section>
	);
}

/** Whatever was written, the form starts anew from what the server says then. */
function useSaved() {
	const show = useToast();
	return { onSuccess: () => show({ text: t("label.saved") }) };
}

export function TryLabel({ item }: { item: Try }) {
	const write = useWrite("put", "/v1/tries/{tryId}/label", ["/v1/tries/{tryId}", "/v1/tries"]);
	const saved = useSaved();
	const now = item.label ?? "III";
	return (
		<LabelForm
			key={now}
			now={now}
			choices={["III", "II", "I"]}
			hint="label.tryHint"
			error={write.error}
			isPending={write.isPending}
			onChange={(body) => write.mutate({ params: { tryId: item.id }, body }, saved)}
		/>
	);
}

export function UserLabel({ user }: { user: User }) {
	const write = useWrite("put", "/v1/users/{userId}/label", ["/v1/users/{userId}", "/v1/users"]);
	const saved = useSaved();
	const now = user.label ?? "III";
	return (
		<LabelForm
			key={now}
			now={now}
			choices={["III", "II", "I"]}
			hint="label.userHint"
			error={write.error}
			isPending={write.isPending}
			onChange={(body) => write.mutate({ params: { userId: user.id }, body }, saved)}
		/>
	);
}

export function ClassLabel({ item }: { item: SchoolClass }) {
	const write = useWrite("put", "/v1/classes/{classId}/label", [
		"/v1/classes/{classId}",
		"/v1/classes",
	]);
	const saved = useSaved();
	const now = item.label ?? "IV";
	return (
		<LabelForm
			key={now}
			now={now}
			choices={["IV", "III", "II", "I"]}
			hint="label.classHint"
			error={write.error}
			isPending={write.isPending}
			onChange={(body) => write.mutate({ params: { classId: item.id }, body }, saved)}
		/>
	);
}

export function UnitLabel({ unit }: { unit: Pick<UnitDetail, "id" | "label"> }) {
	const write = useWrite("put", "/v1/units/{unitId}/label", [
		"/v1/units/{unitId}",
		"/v1/units",
		"/v1/assignments",
	]);
	const saved = useSaved();
	const now = unit.label ?? "IV";
	return (
		<LabelForm
			key={now}
			now={now}
			choices={["IV", "III", "II", "I"]}
			hint="label.unitHint"
			error={write.error}
			isPending={write.isPending}
			onChange={(body) => write.mutate({ params: { unitId: unit.id }, body }, saved)}
		/>
	);
}
