/* One contract: how far it is, what stops it, its end, and the certificate of that. */
import { type ReactNode, useState } from "react";
import { address } from "../api/client";
import { useTagged, useWrite } from "../api/hooks";
import type { Contract } from "../api/types";
import { exactTime } from "../format/time";
import { type Key, T, t } from "../i18n";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Form, TextField, text } from "../ui/form";
import { Page, Section, TableFrame } from "../ui/page";
import { Alert, Async } from "../ui/states";
import "./texts";

const CHANGED = ["/v1/contracts/{contractId}", "/v1/contracts"] as const;
const PURGE_LOOK_MS = 2000;

export function ContractState({ contract }: { contract: Contract }) {
	return (
		<span className={`tag status-${contract.state === "active" ? "active" : "suspended"}`}>
			<T k={`contracts.state.${contract.state}`} />
		</span>
	);
}

/* ---- what it is ---- */

function Fact({ label, children }: { label: Key; children: ReactNode }) {
	return (
		<>
			<dt>
				<T k={label} />
			</dt>
			<dd>{children}</dd>
		</>
	);
}

function Moment({ at }: { at: string }) {
	return <time dateTime={at}>{exactTime(at)}</time>;
}

function Facts({ contract }: { contract: Contract }) {
	return (
		<Section title={<T k="contracts.facts" />}>
			<p className="hint">
				<T k={`contracts.hint.${contract.state}`} />
			</p>
			<dl className="facts">
				<Fact label="contracts.code">{contract.code}</Fact>
				<Fact label="contracts.createdAt">
					<Moment at={contract.createdAt} />
				</Fact>
				<Fact label="contracts.stateSince">
					<Moment at={contract.stateSince} />
				</Fact>
				{contract.reason && <Fact label="contracts.reason">{contract.reason}</Fact>}
				{contract.dueAt && (
					<Fact label="contracts.dueAt">
						{contract.holdSince ? <T k="contracts.held" /> : <Moment at={contract.dueAt} />}
					</Fact>
				)}
				{contract.holdSince && (
					<Fact label="contracts.hold">
						{contract.holdReason} (<Moment at={contract.holdSince} />)
					</Fact>
				)}
			</dl>
		</Section>
	);
}

/* ---- what is done to it ---- */

interface ReasonProps {
	title: Key;
	hint: Key;
	/** What must be typed first, for what ends in a purge. */
	typed?: string;
	busy: boolean;
	error?: unknown;
	onReason: (reason: string) => void;
	onClose: () => void;
}

function ReasonDialog({ title, hint, typed, busy, error, onReason, onClose }: ReasonProps) {
	const [said, setSaid] = useState("");
	return (
		<Dialog title={<T k={title} />} onClose={onClose}>
			<p>
				<T k={hint} />
			</p>
			<Form
				label={t(title)}
				error={error}
				onSubmit={(data) => onReason(text(data, "reason") ?? "")}
			>
				<TextField
					name="reason"
					label="contracts.reason"
					hint="contracts.reasonHint"
					maxLength={500}
				/>
				{typed !== undefined && (
					<TextField
						name="typed"
						label="contracts.typed"
						autoComplete="off"
						value={said}
						onChange={(event) => setSaid(event.target.value)}
					/>
				)}
				<div className="actions">
					<Button
						look={typed === undefined ? "primary" : "danger"}
						type="submit"
						busy={busy}
						disabled={typed !== undefined && said.trim() !== typed}
					>
						<T k={title} />
					</Button>
					<Button onClick={onClose}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</Dialog>
	);
}

type Action = "suspend" | "restore" | "close" | "hold" | "release";

/** What may be done in which state; the server's table says the same. */
export function actionsOf(contract: Contract): Action[] {
	const { state, holdSince } = contract;
	if (state === "purging" || state === "erased") return [];
	const hold: Action = holdSince ? "release" : "hold";
	if (state === "active") return ["suspend", "close", hold];
	if (state === "suspended") return ["restore", "close", hold];
	return ["restore", hold];
}

function Actions({ contract, etag }: { contract: Contract; etag?: string }) {
	const [asked, setAsked] = useState<Action>();
	const moves = {
		suspend: useWrite("post", "/v1/contracts/{contractId}/suspend", [...CHANGED]),
		restore: useWrite("post", "/v1/contracts/{contractId}/restore", [...CHANGED]),
		close: useWrite("post", "/v1/contracts/{contractId}/close", [...CHANGED]),
	};
	const hold = useWrite("put", "/v1/contracts/{contractId}/hold", [...CHANGED]);
	const common = { params: { contractId: contract.id }, ifMatch: etag };
	const done = { onSuccess: () => setAsked(undefined) };
	const isHold = asked === "hold" || asked === "release";
	const write = !asked || isHold ? hold : moves[asked];
	const act = (reason: string) => {
		if (asked === "hold" || asked === "release")
			hold.mutate({ ...common, body: { held: asked === "hold", reason } }, done);
		else if (asked) moves[asked].mutate({ ...common, body: { reason } }, done);
	};
	const actions = actionsOf(contract);
	if (actions.length === 0) return null;
	return (
		<Section title={<T k="contracts.actions" />}>
			<div className="actions">
				{actions.map((action) => (
					<Button
						key={action}
						look={action === "close" ? "danger" : undefined}
						onClick={() => {
							hold.reset();
							for (const move of Object.values(moves)) move.reset();
							setAsked(action);
						}}
					>
						<T k={`contracts.action.${action}`} />
					</Button>
				))}
			</div>
			{asked && (
				<ReasonDialog
					title={`contracts.action.${asked}`}
					hint={`contracts.action.${asked}Hint`}
					typed={asked === "close" ? contract.code : undefined}
					busy={write.isPending}
					error={write.error ?? undefined}
					onReason={act}
					onClose={() => setAsked(undefined)}
				/>
			)}
		</Section>
	);
}

/* ---- its purge ---- */

function Purge({ contract }: { contract: Contract }) {
	const { steps = 0, stepsDone = 0, stores = [], waitsFor } = contract;
	if (steps === 0) return null;
	return (
		<Section title={<T k="contracts.purge" />}>
			<div className="progress">
				<progress max={steps} value={stepsDone} aria-label={t("contracts.purge")} />
				<span>
					<T k="contracts.stepsOf" done={stepsDone} steps={steps} />
				</span>
			</div>
			{waitsFor && (
				<Alert tone="warning">
					<T k="contracts.waitsFor" replicas={waitsFor} />
				</Alert>
			)}
			{contract.state === "erased" &&
				(contract.certified ? (
					<div className="actions">
						<a
							className="button primary"
							href={address("/v1/contracts/{contractId}/certificate", { contractId: contract.id })}
							download={`certificate-${contract.code}.txt`}
						>
							<T k="contracts.certificate" />
						</a>
					</div>
				) : (
					<Alert tone="info">
						<T k="contracts.certificateSoon" />
					</Alert>
				))}
			<TableFrame label={t("contracts.removed")}>
				<table>
					<thead>
						<tr>
							<th scope="col">
								<T k="contracts.store" />
							</th>
							<th scope="col">
								<T k="contracts.removed" />
							</th>
						</tr>
					</thead>
					<tbody>
						{stores.map(({ store, removed }) => (
							<tr key={store}>
								<th scope="row">{store}</th>
								<td>{removed}</td>
							</tr>
						))}
					</tbody>
				</table>
			</TableFrame>
		</Section>
	);
}

/** Something goes on by itself, so it is worth looking again. */
function isMoving(contract: Contract): boolean {
	return contract.state === "purging" || (contract.state === "erased" && !contract.certified);
}

export function ContractPage({ params }: { params: { id: string } }) {
	const found = useTagged("/v1/contracts/{contractId}", {
		params: { contractId: params.id },
		everyMsWhile: (contract) => isMoving(contract) && PURGE_LOOK_MS,
	});
	const contract = found.data?.body;
	const name = contract?.name ?? t("nav.contracts");
	return (
		<Page
			title={name}
			name={name}
			back={{ href: "/contracts", label: "nav.contracts" }}
			side={contract && <ContractState contract={contract} />}
		>
			<Async of={found}>
				{({ body, etag }) => (
					<>
						<Facts contract={body} />
						<Actions contract={body} etag={etag} />
						<Purge contract={body} />
					</>
				)}
			</Async>
		</Page>
	);
}
