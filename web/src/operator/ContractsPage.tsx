/* Contracts: the list, and opening one, which shows its first administrator's secret once. */
import { useState } from "react";
import { Link } from "wouter";
import { usePages, useWrite } from "../api/hooks";
import type { Answer } from "../api/types";
import { exactTime } from "../format/time";
import { T, t } from "../i18n";
import { SecretCards } from "../shared/SecretCards";
import { Button } from "../ui/button";
import { Form, TextField, text } from "../ui/form";
import { Page, TableFrame } from "../ui/page";
import { Pages } from "../ui/states";
import { ContractState } from "./ContractPage";
import "./texts";

type Opened = Answer<"post", "/v1/contracts">;

function NewContract({ onOpened, onCancel }: NewContractProps) {
	const write = useWrite("post", "/v1/contracts", ["/v1/contracts"]);
	const save = (data: FormData) => {
		const body = {
			name: text(data, "name") ?? "",
			code: text(data, "code") ?? "",
			administratorUsername: text(data, "administratorUsername") ?? "",
		};
		write.mutate({ body }, { onSuccess: onOpened });
	};
	return (
		<div className="panel">
			<h2>
				<T k="contracts.new" />
			</h2>
			<Form label={t("contracts.new")} onSubmit={save} error={write.error ?? undefined}>
				<TextField name="name" label="contracts.name" hint="contracts.nameHint" maxLength={100} />
				<div className="form-row">
					<TextField
						name="code"
						label="contracts.code"
						hint="contracts.codeHint"
						minLength={3}
						maxLength={32}
						autoCapitalize="none"
						autoComplete="off"
						spellCheck={false}
					/>
					<TextField
						name="administratorUsername"
						label="contracts.administrator"
						hint="contracts.administratorHint"
						maxLength={64}
						autoCapitalize="none"
						autoComplete="off"
						spellCheck={false}
					/>
				</div>
				<div className="actions">
					<Button look="primary" type="submit" busy={write.isPending}>
						<T k="contracts.open" />
					</Button>
					<Button onClick={onCancel}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

interface NewContractProps {
	onOpened: (opened: Opened) => void;
	onCancel: () => void;
}

export function ContractsPage() {
	const [isNew, setNew] = useState(false);
	const [opened, setOpened] = useState<Opened>();
	const contracts = usePages("/v1/contracts");
	return (
		<Page
			title={<T k="nav.contracts" />}
			name={t("nav.contracts")}
			wide
			side={
				!isNew && (
					<Button look="primary" icon="plus" onClick={() => setNew(true)}>
						<T k="contracts.new" />
					</Button>
				)
			}
		>
			{isNew && (
				<NewContract
					onCancel={() => setNew(false)}
					onOpened={(contract) => {
						setNew(false);
						setOpened(contract);
					}}
				/>
			)}
			{opened && !isNew && (
				<SecretCards
					tenantCode={opened.code}
					secrets={[
						{
							username: opened.administratorUsername,
							familyName: opened.name,
							secret: opened.initialSecret,
						},
					]}
					onDone={() => setOpened(undefined)}
				/>
			)}
			<Pages of={contracts} empty="contracts.none">
				{(items) => (
					<TableFrame label={t("nav.contracts")}>
						<table>
							<thead>
								<tr>
									<th scope="col">
										<T k="contracts.name" />
									</th>
									<th scope="col">
										<T k="contracts.code" />
									</th>
									<th scope="col">
										<T k="contracts.stateIs" />
									</th>
									<th scope="col">
										<T k="contracts.createdAt" />
									</th>
								</tr>
							</thead>
							<tbody>
								{items.map((contract) => (
									<tr key={contract.id}>
										<th scope="row">
											<Link href={`/contracts/${contract.id}`}>{contract.name}</Link>
										</th>
										<td>{contract.code}</td>
										<td>
											<ContractState contract={contract} />
										</td>
										<td>
											<time dateTime={contract.createdAt}>{exactTime(contract.createdAt)}</time>
										</td>
									</tr>
								))}
							</tbody>
						</table>
					</TableFrame>
				)}
			</Pages>
		</Page>
	);
}
