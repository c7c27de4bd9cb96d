import { T, t } from "../i18n";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";

export function NotFoundPage() {
	return (
		<Page title={<T k="error.notFoundTitle" />} name={t("error.notFoundTitle")}>
			<p>
				<T k="error.notFoundText" />
			</p>
			<ButtonLink href="/" look="primary" icon="home">
				<T k="nav.home" />
			</ButtonLink>
		</Page>
	);
}
