/* Announcements: everyone reads, operators and contractors also write. */
import { useState } from "react";
import { usePages, useWrite } from "../api/hooks";
import type { Audience } from "../api/types";
import { dateTime } from "../format/time";
import { type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { Button } from "../ui/button";
import { Form, SelectField, TextArea, TextField, text } from "../ui/form";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";
import { useToast } from "../ui/toast";
import "./labelTexts";

const AUDIENCES: Audience[] = ["everyone", "contractor", "instructor", "student"];
const CLASSES = ["IV", "II"] as const; // what one chooses from while writing

function Writer({ onDone }: { onDone: () => void }) {
	const show = useToast();
	const write = useWrite("post", "/v1/announcements", ["/v1/announcements"]);
	const save = (data: FormData) => {
		const body = {
			title: text(data, "title") ?? "",
			body: text(data, "body") ?? "",
			audience: data.get("audience") as Audience,
			label: data.get("label") === "II" ? ("II" as const) : undefined,
		};
		write.mutate(
			{ body },
			{
				onSuccess: () => {
					show({ text: t("announce.done") });
					onDone();
				},
			},
		);
	};
	return (
		<div className="panel">
			<h2>
				<T k="announce.new" />
			</h2>
			<Form label={t("announce.new")} onSubmit={save} error={write.error ?? undefined}>
				<TextField name="title" label="announce.title" maxLength={100} />
				<TextArea name="body" label="announce.body" rows={5} maxLength={2000} />
				<SelectField
					name="audience"
					label="announce.audience"
					options={AUDIENCES.map((value) => ({ value, text: t(`audience.${value}`) }))}
				/>
				<SelectField
					name="label"
					label="label.class"
					hint="label.announcementHint"
					options={CLASSES.map((value) => ({ value, text: t(`label.${value}`) }))}
				/>
				<div className="actions">
					<Button look="primary" type="submit" icon="megaphone" busy={write.isPending}>
						<T k="announce.submit" />
					</Button>
					<Button onClick={onDone}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

export function AnnouncementsPage() {
	const { role } = useSelf();
	const mayWrite = role === "operator" || role === "contractor";
	const [isWriting, setWriting] = useState(false);
	const announcements = usePages("/v1/announcements");
	return (
		<Page
			title={<T k="nav.announcements" />}
			name={t("nav.announcements")}
			side={
				mayWrite &&
				!isWriting && (
					<Button look="primary" icon="plus" onClick={() => setWriting(true)}>
						<T k="announce.new" />
					</Button>
				)
			}
		>
			{isWriting && <Writer onDone={() => setWriting(false)} />}
			<Pages of={announcements} empty="announce.none">
				{(items) =>
					items.map((item) => (
						<article key={item.id} className="announcement">
							<h2>{item.title}</h2>
							<p className="meta">
								<time dateTime={item.createdAt}>{dateTime(item.createdAt)}</time>
								<span className="tag">
									<T k={item.fromOperator ? "announce.fromOperator" : "announce.fromSchool"} />
								</span>
								{item.label && (
									<span className="tag">
										<T k={`label.${item.label}`} />
									</span>
								)}
								{mayWrite && (
									<span className="tag">
										<T k={`audience.${item.audience}` as Key} />
									</span>
								)}
							</p>
							<p className="written">{item.body}</p>
						</article>
					))
				}
			</Pages>
		</Page>
	);
}
