/* Function limits of the whole contract; limits of one user stand at the user. */
import { useApi, useWrite } from "../api/hooks";
import { T, t } from "../i18n";
import { FeatureForm } from "../shared/FeatureForm";
import { ButtonLink } from "../ui/button";
import { Page, Section } from "../ui/page";
import { Async } from "../ui/states";

export function FeaturesPage() {
	const limits = useApi("/v1/features");
	const write = useWrite("put", "/v1/features", ["/v1/features"]);
	return (
		<Page title={<T k="nav.features" />} name={t("nav.features")}>
			<p>
				<T k="features.text" />
			</p>
			<Section title={<T k="features.tenant" />}>
				<Async of={limits}>
					{({ denied }) => (
						<FeatureForm
							denied={denied}
							onChange={(next) => write.mutateAsync({ body: { denied: next } })}
						/>
					)}
				</Async>
			</Section>
			<Section title={<T k="features.users" />}>
				<p>
					<T k="features.usersText" />
				</p>
				<ButtonLink href="/users" icon="user">
					<T k="nav.users" />
				</ButtonLink>
			</Section>
		</Page>
	);
}
