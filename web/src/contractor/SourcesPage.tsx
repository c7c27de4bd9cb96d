/* From which addresses the contract may be used: one range a line, none is from everywhere. */
import { useApi, useWrite } from "../api/hooks";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import { Form, TextArea, text } from "../ui/form";
import { Page, Section } from "../ui/page";
import { Async } from "../ui/states";
import { useToast } from "../ui/toast";
import { rangesOf } from "./ranges";

const PATH = "/v1/source-ranges";
const TEXT_MAX = 64 * 50; // as many lines as the contract allows, each as long as it allows

export function SourcesPage() {
	const show = useToast();
	const sources = useApi(PATH);
	const write = useWrite("put", PATH, [PATH]);
	const save = (data: FormData) =>
		write.mutate(
			{ body: { ranges: rangesOf(text(data, "ranges") ?? "") } },
			{ onSuccess: () => show({ text: t("sources.saved") }) },
		);
	return (
		<Page title={<T k="nav.sources" />} name={t("nav.sources")}>
			<p>
				<T k="sources.text" />
			</p>
			<Section title={<T k="sources.title" />}>
				<Async of={sources}>
					{({ source, ranges }) => (
						<Form label={t("sources.title")} onSubmit={save} error={write.error ?? undefined}>
							<p>
								<T k="sources.own" address={source} />
							</p>
							<TextArea
								name="ranges"
								label="sources.ranges"
								hint="sources.hint"
								optional
								rows={6}
								maxLength={TEXT_MAX}
								defaultValue={ranges.join("\n")}
							/>
							<Button look="primary" type="submit" busy={write.isPending}>
								<T k="sources.save" />
							</Button>
						</Form>
					)}
				</Async>
			</Section>
		</Page>
	);
}
