/* Setting up a second factor, new recovery codes, and doing without it again: for the staff. */
import { useMutation } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { type ApiError, api } from "../api/client";
import { useApi } from "../api/hooks";
import type { Answer } from "../api/types";
import { T, t } from "../i18n";
import "./texts";
import { CodeField } from "../session/CodeField";
import { useSelf, useSessionChanged } from "../session/session";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Form, text } from "../ui/form";
import { later } from "../ui/later";
import { Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";

const PATH = "/v1/second-factor";
const CODES = "/v1/second-factor/recovery-codes";

const QrCode = later(async () => (await import("./QrCode")).default);

type Enrolment = Answer<"post", typeof PATH>;

/** In groups of four, as people type it. */
export function grouped(secret: string): string {
	return secret.replace(/(.{4})(?=.)/g, "$1 ");
}

export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
	return (
		<div className="stack">
			<Alert tone="warning">
				<T k="secondFactor.codesOnce" />
			</Alert>
			<ul className="plain-list secret-text">
				{codes.map((code) => (
					<li key={code}>{code}</li>
				))}
			</ul>
			<div className="actions">
				<Button look="primary" icon="print" onClick={() => window.print()}>
					<T k="secondFactor.print" />
				</Button>
				<Button onClick={onDone}>
					<T k="secret.done" />
				</Button>
			</div>
		</div>
	);
}

interface ConfirmProps {
	enrolment: Enrolment;
	onCodes: (codes: string[]) => void;
	onCancel: () => void;
}

export function Confirm({ enrolment, onCodes, onCancel }: ConfirmProps) {
	const confirm = useMutation<{ recoveryCodes: string[] }, ApiError, string>({
		mutationFn: (code) => api("put", PATH, { body: { code } }),
		onSuccess: ({ recoveryCodes }) => onCodes(recoveryCodes),
	});
	return (
		<Form
			label={t("secondFactor.setUp")}
			error={confirm.error}
			onSubmit={(data) => confirm.mutate(text(data, "code") ?? "")}
		>
			<p>
				<T k="secondFactor.scan" />
			</p>
			<Suspense>
				<QrCode text={enrolment.uri} name={t("secondFactor.qr")} />
			</Suspense>
			<p className="hint">
				<T k="secondFactor.orType" />
			</p>
			<p className="secret-text">{grouped(enrolment.secret)}</p>
			<p>
				<a href={enrolment.uri}>
					<T k="secondFactor.openApp" />
				</a>
			</p>
			<CodeField />
			<div className="actions">
				<Button look="primary" type="submit" busy={confirm.isPending}>
					<T k="secondFactor.confirm" />
				</Button>
				<Button onClick={onCancel}>
					<T k="common.cancel" />
				</Button>
			</div>
		</Form>
	);
}

function SetUp({ onCodes }: { onCodes: (codes: string[]) => void }) {
	const { username } = useSelf();
	const enrol = useMutation<Enrolment, ApiError>({
		mutationFn: () => api("post", PATH, { body: { username } }),
	});
	if (enrol.data) {
		return <Confirm enrolment={enrol.data} onCodes={onCodes} onCancel={enrol.reset} />;
	}
	return (
		<>
			<p>
				<T k="secondFactor.off" />
			</p>
			{enrol.error && <Alert>{errorText(enrol.error)}</Alert>}
			<Button look="primary" busy={enrol.isPending} onClick={() => enrol.mutate()}>
				<T k="secondFactor.setUp" />
			</Button>
		</>
	);
}

interface EnrolledProps {
	left: number;
	onCodes: (codes: string[]) => void;
	onRemoved: () => unknown;
}

function Enrolled({ left, onCodes, onRemoved }: EnrolledProps) {
	const [isAsking, setAsking] = useState(false);
	const renew = useMutation<{ recoveryCodes: string[] }, ApiError>({
		mutationFn: () => api("post", CODES),
		onSuccess: ({ recoveryCodes }) => onCodes(recoveryCodes),
	});
	const remove = async () => {
		await api("delete", PATH);
		await onRemoved();
	};
	return (
		<>
			<p>
				<T k="secondFactor.on" /> <T k="secondFactor.codesLeft" n={left} />
			</p>
			{renew.error && <Alert>{errorText(renew.error)}</Alert>}
			<div className="actions">
				<Button busy={renew.isPending} onClick={() => renew.mutate()}>
					<T k="secondFactor.newCodes" />
				</Button>
				<Button look="danger" onClick={() => setAsking(true)}>
					<T k="secondFactor.remove" />
				</Button>
			</div>
			{isAsking && (
				<ConfirmDialog
					title={<T k="secondFactor.remove" />}
					action="secondFactor.remove"
					onConfirm={remove}
					onClose={() => setAsking(false)}
				>
					<p>
						<T k="secondFactor.removeText" />
					</p>
				</ConfirmDialog>
			)}
		</>
	);
}

export function SecondFactor() {
	const state = useApi(PATH, { enabled: useSelf().role !== "student" });
	const sessionChanged = useSessionChanged();
	const [codes, setCodes] = useState<string[]>();
	const refresh = () => Promise.all([state.refetch(), sessionChanged()]);
	const done = () => {
		setCodes(undefined);
		void refresh();
	};
	return (
		<Section title={<T k="secondFactor.title" />}>
			{codes ? (
				<RecoveryCodes codes={codes} onDone={done} />
			) : (
				<Async of={state}>
					{({ enrolled, recoveryCodesLeft }) =>
						enrolled ? (
							<Enrolled left={recoveryCodesLeft} onCodes={setCodes} onRemoved={refresh} />
						) : (
							<SetUp onCodes={setCodes} />
						)
					}
				</Async>
			)}
		</Section>
	);
}
