/* One-time secrets, shown once: on the page, and as cards to print and cut out. */
import type { IssuedSecret } from "../api/types";
import { T } from "../i18n";
import { useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Alert } from "../ui/states";
import { fullName } from "./home";

interface SecretCardsProps {
	secrets: IssuedSecret[];
	/** Of another contract than one's own. */
	tenantCode?: string;
	onDone: () => void;
}

export function SecretCards({ secrets, tenantCode, onDone }: SecretCardsProps) {
	const self = useSelf();
	return (
		<section className="secrets">
			<Alert tone="warning">
				<p>
					<T k="secret.once" />
				</p>
			</Alert>
			<div className="actions">
				<Button look="primary" icon="print" onClick={() => window.print()}>
					<T k="secret.print" />
				</Button>
				<Button onClick={onDone}>
					<T k="secret.done" />
				</Button>
			</div>
			<ul className="secret-cards">
				{secrets.map((item) => (
					<li key={item.username} className="secret-card">
						<p className="secret-name">
							{fullName(item) || item.username}
							{item.classTitle && <span>{item.classTitle}</span>}
						</p>
						<dl>
							<dt>
								<T k="login.tenantCode" />
							</dt>
							<dd>{tenantCode ?? self.tenantCode}</dd>
							<dt>
								<T k="login.username" />
							</dt>
							<dd>{item.username}</dd>
							<dt>
								<T k="secret.secret" />
							</dt>
							<dd className="secret-text">{item.secret}</dd>
						</dl>
						<p className="small">{window.location.origin}</p>
					</li>
				))}
			</ul>
		</section>
	);
}
