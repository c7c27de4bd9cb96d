/* What is left to the administrator when the contract has ended: its export, and the second factor
 * that this may want. No navigation, no line for events: everything else is refused. */
import { T } from "../i18n";
import { SecondFactor } from "../second-factor/SecondFactor";
import { logout, useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Logo } from "../ui/icons";
import { Alert } from "../ui/states";
import { ExportPage } from "./ExportPage";

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
					<T k="export.closed" />
				</Alert>
				{secondFactorRequired && factors < 2 && <SecondFactor />}
			</ExportPage>
		</>
	);
}
