/* What belongs to the person at the device: display, password, sessions, leaving. */
import { useState } from "react";
import { useApi, useWrite } from "../api/hooks";
import type { Session } from "../api/types";
import { dateTime } from "../format/time";
import { T, t } from "../i18n";
import { type Language, language, setLanguage } from "../i18n/language";
import { useUploads } from "../media/uploads";
import { SecondFactor } from "../second-factor/SecondFactor";
import { PasswordForm } from "../session/PasswordForm";
import { logout, useSelf } from "../session/session";
import { setDisplay, type TextSize, useDisplay } from "../shell/display";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { SelectField } from "../ui/form";
import { Page, Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";
import { Switch } from "../ui/switch";

const SIZES: TextSize[] = ["100", "125", "150", "200"];

function DisplaySettings() {
	const display = useDisplay();
	const isStudent = useSelf().role === "student";
	const furigana = display.furigana ?? isStudent;
	return (
		<Section title={<T k="settings.display" />}>
			<div className="stack">
				<Switch checked={furigana} onChange={(next) => setDisplay({ furigana: next })}>
					<T k="settings.furigana" />
				</Switch>
				<SelectField
					name="textSize"
					label="settings.textSize"
					value={display.textSize}
					options={SIZES.map((value) => ({ value, text: `${value} %` }))}
					onChange={(value) => setDisplay({ textSize: value as TextSize })}
				/>
				<SelectField
					name="language"
					label="settings.language"
					value={language()}
					options={[
						{ value: "ja", text: "日本語" },
						{ value: "en", text: "English" },
					]}
					onChange={(value) => {
						setLanguage(value as Language);
						window.location.reload();
					}}
				/>
			</div>
		</Section>
	);
}

function SessionRow({ session }: { session: Session }) {
	const end = useWrite("delete", "/v1/sessions/{sessionId}", ["/v1/sessions"]);
	return (
		<li className="row">
			<span className="grow">
				<strong>
					<T k={session.current ? "settings.thisSession" : "settings.otherSession"} />
				</strong>
				<span className="small">
					<T k="settings.sessionBegan" time={dateTime(session.createdAt)} />{" "}
					<T k="settings.sessionSeen" time={dateTime(session.lastSeenAt)} />
				</span>
				{end.error && <Alert>{errorText(end.error)}</Alert>}
			</span>
			{!session.current && (
				<Button
					busy={end.isPending}
					onClick={() => end.mutate({ params: { sessionId: session.id } })}
				>
					<T k="settings.endSession" />
				</Button>
			)}
		</li>
	);
}

function Leave() {
	const unsent = useUploads().filter((clip) => clip.state !== "done").length;
	const [isAsking, setAsking] = useState(false);
	const [error, setError] = useState<unknown>();
	const leave = () => logout().catch(setError);
	return (
		<Section title={<T k="nav.logout" />}>
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
			<Button large onClick={() => (unsent > 0 ? setAsking(true) : leave())}>
				<T k="nav.logout" />
			</Button>
			{isAsking && (
				<ConfirmDialog
					title={<T k="settings.unsentTitle" />}
					action="nav.logout"
					onConfirm={logout}
					onClose={() => setAsking(false)}
				>
					<p>
						<T k="settings.unsentText" n={unsent} />
					</p>
				</ConfirmDialog>
			)}
		</Section>
	);
}

export function SettingsPage() {
	const sessions = useApi("/v1/sessions");
	const self = useSelf();
	return (
		<Page title={<T k="nav.settings" />} name={t("nav.settings")}>
			<p className="lead">
				{self.tenantName} · {self.username}
			</p>
			<DisplaySettings />
			<Section title={<T k="settings.sessions" />}>
				<p className="hint">
					<T k="settings.sessionsHint" />
				</p>
				<Async of={sessions}>
					{({ items }) => (
						<ul className="plain-list">
							{items.map((session) => (
								<SessionRow key={session.id} session={session} />
							))}
						</ul>
					)}
				</Async>
			</Section>
			<Section title={<T k="password.title" />}>
				<PasswordForm onDone={() => sessions.refetch()} />
			</Section>
			{self.role !== "student" && <SecondFactor />}
			<Leave />
		</Page>
	);
}
