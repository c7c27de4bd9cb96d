/*
 * How long things are kept, by kind and class: set here, with what goes within thirty days beside
 * each number, and what a shorter one would remove before it is saved.
 */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { useTagged, useWrite } from "../api/hooks";
import type { Answer } from "../api/types";
import { dateTime } from "../format/time";
import { addTexts, T, t } from "../i18n";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Form, TextField } from "../ui/form";
import { Page, Section } from "../ui/page";
import { Alert, Async } from "../ui/states";
import { useToast } from "../ui/toast";
import {
	CLASSES,
	DAYS_MAX,
	DAYS_MIN,
	fieldOf,
	find,
	type KeptRule,
	type Kind,
	type Label,
	type Rule,
	rulesOf,
	shorter,
} from "./retention";
import ja from "./retention.ja.json";

addTexts({ ja, en: {} }); // in English all come at once

const PATH = "/v1/retention";
const FORECAST = "/v1/retention/forecast";

type Forecast = Answer<"post", typeof FORECAST>;

/** What goes by the rules that are saved. */
function useForecast(kept: KeptRule[]): Forecast["items"] {
	const rules = kept.map(({ kind, label, days }) => ({ kind, label, days }));
	const answer = useQuery({
		queryKey: [FORECAST, rules],
		queryFn: ({ signal }) => api("post", FORECAST, { body: { rules }, signal }),
		enabled: rules.length > 0,
	});
	return answer.data?.items ?? [];
}

function Waiting({ rule }: { rule: KeptRule }) {
	if (!rule.inForceAt) return null;
	const time = dateTime(rule.inForceAt);
	return (
		<p className="hint">
			{rule.formerDays === undefined ? (
				<T k="retention.waitsFirst" time={time} />
			) : (
				<T k="retention.waits" time={time} former={rule.formerDays} />
			)}
		</p>
	);
}

interface FieldProps {
	kind: Kind;
	label: Label;
	rule: KeptRule | undefined;
	soon: number | undefined;
}

function Field({ kind, label, rule, soon }: FieldProps) {
	return (
		<div className="field">
			<TextField
				name={fieldOf(kind, label)}
				label={`retention.label.${label}`}
				type="number"
				inputMode="numeric"
				min={DAYS_MIN}
				max={DAYS_MAX}
				step={1}
				optional
				defaultValue={rule?.days}
			/>
			{rule && <Waiting rule={rule} />}
			{soon !== undefined && (
				<p className="hint">
					<T k="retention.soon" n={soon} />
				</p>
			)}
		</div>
	);
}

interface AskedProps {
	rules: Rule[];
	less: Rule[];
	forecast: Forecast;
	onSave: (rules: Rule[]) => Promise<unknown>;
	onClose: () => void;
}

/** What shorter numbers remove, before they are saved. */
function Asked({ rules, less, forecast, onSave, onClose }: AskedProps) {
	return (
		<ConfirmDialog
			title={<T k="retention.confirm" />}
			action="retention.save"
			onConfirm={() => onSave(rules)}
			onClose={onClose}
		>
			<p>
				<T k="retention.confirmText" />
			</p>
			<ul>
				{less.map(({ kind, label, days }) => (
					<li key={fieldOf(kind, label)}>
						<T
							k="retention.confirmItem"
							kind={t(`retention.kind.${kind}`)}
							label={t(`retention.label.${label}`)}
							days={days}
							until={dateTime(forecast.until)}
							n={find(forecast.items, kind, label)?.count ?? 0}
						/>
					</li>
				))}
			</ul>
		</ConfirmDialog>
	);
}

function Rules({ kept, etag }: { kept: KeptRule[]; etag: string | undefined }) {
	const show = useToast();
	const soon = useForecast(kept);
	const [asked, setAsked] = useState<Omit<AskedProps, "onSave" | "onClose">>();
	const forecast = useWrite("post", FORECAST);
	const write = useWrite("put", PATH, [PATH]);
	const put = async (rules: Rule[]) => {
		await write.mutateAsync({ body: { rules }, ifMatch: etag });
		show({ text: t("retention.saved") });
	};
	const save = (data: FormData) => {
		const rules = rulesOf(data);
		const less = shorter(kept, rules);
		if (less.length === 0) {
			put(rules).catch(() => {}); // the form shows it
		} else {
			forecast.mutate(
				{ body: { rules: less } },
				{ onSuccess: (found) => setAsked({ rules, less, forecast: found }) },
			);
		}
	};
	return (
		<>
			<Form
				label={t("retention.rules")}
				onSubmit={save}
				error={forecast.error ?? (asked ? undefined : write.error) ?? undefined}
			>
				<p>
					<T k="retention.hint" />
				</p>
				{CLASSES.map(({ kind, labels }) => (
					<fieldset key={kind} className="stack">
						<legend>
							<T k={`retention.kind.${kind}`} />
						</legend>
						{labels.map((label) => (
							<Field
								key={label}
								kind={kind}
								label={label}
								rule={find(kept, kind, label)}
								soon={find(soon, kind, label)?.count}
							/>
						))}
					</fieldset>
				))}
				<Button look="primary" type="submit" busy={forecast.isPending || write.isPending}>
					<T k="retention.save" />
				</Button>
			</Form>
			{asked && <Asked {...asked} onSave={put} onClose={() => setAsked(undefined)} />}
		</>
	);
}

export function RetentionPage() {
	const retention = useTagged(PATH, {});
	return (
		<Page title={<T k="nav.retention" />} name={t("nav.retention")}>
			<p>
				<T k="retention.text" />
			</p>
			<Section title={<T k="retention.rules" />}>
				<Async of={retention}>
					{({ body, etag }) => (
						<>
							{body.held && (
								<Alert tone="warning">
									<T k="retention.held" />
								</Alert>
							)}
							<Rules key={etag} kept={body.rules} etag={etag} />
						</>
					)}
				</Async>
			</Section>
		</Page>
	);
}
