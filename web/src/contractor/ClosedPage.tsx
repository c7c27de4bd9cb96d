/* What is left to the administrator when the contract has ended: its export, and the second factor
 * that this may want. No navigation, no line for events: everything else is refused. */
import { useApi } from "../api/hooks";
import { exactTime } from "../format/time";
import { T } from "../i18n";
import { SecondFactor } from "../second-factor/SecondFactor";
import { logout, useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Logo } from "../ui/icons";
import { Alert, Async } from "../ui/states";
import { ExportPage } from "./ExportPage";

function PurgeTime() {
	const contract = useApi("/v1/contract");
	return (
		<Async of={contract}>
			{({ held, purgeAt }) => (
				<p>
					{held && <T k="export.held" />}
					{purgeAt && <T k="export.purgeAt" at={exactTime(purgeAt)} />}
				</p>
			)}
		</Async>
	);
}

export function ClosedPage() {
	const { tenantName, secondFactorRequired, factors } = useSelf();
	return (
		<>
			<header className="top">
				<div className="top-row">
					<span className="brand">
						<Logo />
						<span>
							<T k="common.product" />
						</span>
					</span>
					<span className="tenant">{tenantName}</span>
					<div className="tools">
						<Button look="quiet" onClick={() => logout()}>
							<T k="nav.logout" />
						</Button>
					</div>
				</div>
			</header>
			<ExportPage>
				<Alert tone="warning">
					<p>
						<T k="export.closed" />
					</p>
					<PurgeTime />
				</Alert>
				{secondFactorRequired && factors < 2 && <SecondFactor />}
			</ExportPage>
		</>
	);
}
