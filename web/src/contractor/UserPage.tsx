/* One user: names, function limits, new secret, suspend, restore, delete. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { ApiError, api } from "../api/client";
import { refresh, useApi, useTagged, useWrite } from "../api/hooks";
import type { IssuedSecret, User } from "../api/types";
import { dateTime } from "../format/time";
import { addTexts, type Key, T, t } from "../i18n";
import { Reset } from "../second-factor/Reset";
import { useSelf } from "../session/session";
import { FeatureForm } from "../shared/FeatureForm";
import { fullName } from "../shared/home";
import { SecretCards } from "../shared/SecretCards";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Form } from "../ui/form";
import { later } from "../ui/later";
import { Page, Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";
import { useToast } from "../ui/toast";
import ja from "./erasure.ja.json";
import { hrefOf } from "./logSearch";
import { PersonFields, personOf } from "./UserFields";
import { UserStatus } from "./UsersPage";

addTexts({ ja, en: {} }); // in English all come at once

const UserLabel = later(async () => (await import("../shared/Label")).UserLabel);

function Names({ user, etag }: { user: User; etag?: string }) {
	const show = useToast();
	const write = useWrite("patch", "/v1/users/{userId}", ["/v1/users/{userId}", "/v1/users"]);
	const isStale = write.error instanceof ApiError && write.error.status === 412;
	const save = (data: FormData) =>
		write.mutate(
			{ params: { userId: user.id }, body: personOf(data), ifMatch: etag },
			{ onSuccess: () => show({ text: t("users.changed") }) },
		);
	return (
		<Section title={<T k="users.names" />}>
			<Form
				key={user.version}
				label={t("users.names")}
				onSubmit={save}
				error={write.error ?? undefined}
			>
				<PersonFields user={user} />
				<Button look="primary" type="submit" busy={write.isPending}>
					<T k="users.change" />
				</Button>
			</Form>
			{isStale && (
				<Alert tone="info">
					<T k="users.stale" />
				</Alert>
			)}
		</Section>
	);
}

function Features({ userId }: { userId: string }) {
	const params = { userId };
	const limits = useApi("/v1/users/{userId}/features", { params });
	const write = useWrite("put", "/v1/users/{userId}/features", ["/v1/users/{userId}/features"]);
	return (
		<Section title={<T k="users.features" />}>
			<p className="hint">
				<T k="users.featuresHint" />
			</p>
			<Async of={limits}>
				{({ denied }) => (
					<FeatureForm
						denied={denied}
						onChange={(next) => write.mutateAsync({ params, body: { denied: next } })}
					/>
				)}
			</Async>
		</Section>
	);
}

function Suspension({ user }: { user: User }) {
	const show = useToast();
	const client = useQueryClient();
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>();
	const params = { userId: user.id };
	const change = async (path: "/v1/users/{userId}/suspend" | "/v1/users/{userId}/restore") => {
		setBusy(true);
		setError(undefined);
		try {
			await api("post", path, { params });
			await refresh(client, "/v1/users/{userId}", "/v1/users");
			return true;
		} catch (e) {
			setError(e);
			return false;
		} finally {
			setBusy(false);
		}
	};
	const restore = () => change("/v1/users/{userId}/restore");
	const suspend = async () => {
		if (await change("/v1/users/{userId}/suspend")) {
			show({ text: t("users.suspended", { name: fullName(user) }), undo: restore });
		}
	};
	return (
		<>
			{user.status === "active" ? (
				<Button busy={isBusy} onClick={suspend}>
					<T k="users.suspend" />
				</Button>
			) : (
				<Button look="primary" busy={isBusy} onClick={restore}>
					<T k="users.restore" />
				</Button>
			)}
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
		</>
	);
}

/** Who did what: by this person, and with what this person made. */
function Log({ user }: { user: User }) {
	return (
		<Section title={<T k="nav.audit" />}>
			<ul>
				<li>
					<Link href={hrefOf({ actorId: user.id, kind: "all" })}>
						<T k="users.didWhat" />
					</Link>
				</li>
				{user.role === "student" && (
					<li>
						<Link href={hrefOf({ ownerId: user.id, verb: "read" })}>
							<T k="users.whoWatched" />
						</Link>
					</li>
				)}
				<li>
					<Link href={hrefOf({ objectId: user.id, kind: "all" })}>
						<T k="users.whoTouched" />
					</Link>
				</li>
			</ul>
		</Section>
	);
}

function Danger({ user, onSecret }: { user: User; onSecret: (secret: IssuedSecret) => void }) {
	const [asking, setAsking] = useState<"secret" | "delete" | "erase">();
	const isMarked = user.status === "tobedeleted";
	const [, go] = useLocation();
	const client = useQueryClient();
	const show = useToast();
	const params = { userId: user.id };
	const issue = async () => {
		const { initialSecret } = await api("post", "/v1/users/{userId}/secret", { params });
		const { username, familyName, givenName, classTitle } = user;
		onSecret({ username, familyName, givenName, classTitle, secret: initialSecret });
	};
	const remove = async () => {
		await api("delete", "/v1/users/{userId}", { params });
		show({ text: t("users.deleted", { name: fullName(user) }) });
		await refresh(client, "/v1/users/{userId}", "/v1/users", "/v1/erasures");
	};
	const erase = async () => {
		await api("post", "/v1/users/{userId}/erase", { params });
		show({ text: t("users.erasing", { name: fullName(user) }) });
		go("/erasures");
		await refresh(client, "/v1/users", "/v1/erasures");
	};
	return (
		<Section title={<T k="users.account" />}>
			<p className="hint">
				{user.eraseAt ? (
					<T k="users.eraseAt" at={dateTime(user.eraseAt)} />
				) : (
					<T k={isMarked ? "erasure.held" : "users.accountHint"} />
				)}
			</p>
			<div className="actions">
				<Button icon="lock" onClick={() => setAsking("secret")}>
					<T k="users.newSecret" />
				</Button>
				{user.role !== "student" && <Reset user={user} />}
				<Suspension user={user} />
				<Button look="danger" onClick={() => setAsking(isMarked ? "erase" : "delete")}>
					<T k={isMarked ? "users.erase" : "users.delete"} />
				</Button>
			</div>
			{asking === "secret" && (
				<ConfirmDialog
					title={<T k="users.newSecret" />}
					action="users.newSecretConfirm"
					onConfirm={issue}
					onClose={() => setAsking(undefined)}
				>
					<p>
						<T k="users.newSecretText" name={fullName(user)} />
					</p>
				</ConfirmDialog>
			)}
			{asking === "delete" && (
				<ConfirmDialog
					title={<T k="users.delete" />}
					action="users.deleteConfirm"
					typed={user.username}
					onConfirm={remove}
					onClose={() => setAsking(undefined)}
				>
					<p>
						<T k="users.deleteText" name={fullName(user)} />
					</p>
				</ConfirmDialog>
			)}
			{asking === "erase" && (
				<ConfirmDialog
					title={<T k="users.erase" />}
					action="users.eraseConfirm"
					typed={user.username}
					onConfirm={erase}
					onClose={() => setAsking(undefined)}
				>
					<p>
						<T k="users.eraseText" name={fullName(user)} />
					</p>
				</ConfirmDialog>
			)}
		</Section>
	);
}

export function UserPage({ params }: { params: { id: string } }) {
	const user = useTagged("/v1/users/{userId}", { params: { userId: params.id } });
	const [secret, setSecret] = useState<IssuedSecret>();
	const self = useSelf();
	const name = fullName(user.data?.body ?? null) || t("nav.users");
	return (
		<Page
			title={name}
			name={name}
			back={{ href: "/users", label: "nav.users" }}
			side={user.data && <UserStatus status={user.data.body.status} />}
		>
			<Async of={user}>
				{({ body: data, etag }) => (
					<>
						<p className="lead">
							<T k={`role.${data.role}` as Key} /> · {data.username}
							{data.classTitle && ` · ${data.classTitle}`}
						</p>
						{secret && <SecretCards secrets={[secret]} onDone={() => setSecret(undefined)} />}
						<Names user={data} etag={etag} />
						<UserLabel user={data} />
						<Log user={data} />
						<Features userId={data.id} />
						{data.id !== self.userId && <Danger user={data} onSecret={setSecret} />}
					</>
				)}
			</Async>
		</Page>
	);
}
