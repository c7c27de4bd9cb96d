/* All users in kana order: search, filter, add. */
import { useDeferredValue, useState } from "react";
import { Link } from "wouter";
import { useAll, usePages, useWrite } from "../api/hooks";
import type { IssuedSecret, User } from "../api/types";
import { type Key, T, t } from "../i18n";
import { fullName } from "../shared/home";
import { roleOptions, type UserRole } from "../shared/person";
import { SecretCards } from "../shared/SecretCards";
import { Button } from "../ui/button";
import { Form, SelectField, TextField, text } from "../ui/form";
import { Page, TableFrame } from "../ui/page";
import { Pages } from "../ui/states";
import { PersonFields, personOf } from "./UserFields";

const PAGE_SIZE = 50;

function NewUser({ onAdded, onCancel }: NewUserProps) {
	const write = useWrite("post", "/v1/users", ["/v1/users", "/v1/home"]);
	const save = (data: FormData) => {
		const username = text(data, "username") ?? "";
		const body = { username, role: data.get("role") as UserRole, ...personOf(data) };
		write.mutate(
			{ body },
			{
				onSuccess: ({ user, initialSecret }) =>
					onAdded({
						username: user.username,
						familyName: user.familyName,
						givenName: user.givenName,
						secret: initialSecret,
					}),
			},
		);
	};
	return (
		<div className="panel">
			<h2>
				<T k="users.new" />
			</h2>
			<Form label={t("users.new")} onSubmit={save} error={write.error ?? undefined}>
				<div className="form-row">
					<SelectField name="role" label="person.role" options={roleOptions()} />
					<TextField
						name="username"
						label="login.username"
						hint="users.usernameHint"
						maxLength={64}
						autoCapitalize="none"
						autoComplete="off"
						spellCheck={false}
					/>
				</div>
				<PersonFields />
				<div className="actions">
					<Button look="primary" type="submit" busy={write.isPending}>
						<T k="users.save" />
					</Button>
					<Button onClick={onCancel}>
						<T k="common.cancel" />
					</Button>
				</div>
			</Form>
		</div>
	);
}

interface NewUserProps {
	onAdded: (secret: IssuedSecret) => void;
	onCancel: () => void;
}

function UserTable({ users }: { users: User[] }) {
	return (
		<TableFrame label={t("nav.users")}>
			<table>
				<thead>
					<tr>
						{(["name", "kana", "role", "class", "username", "status"] as const).map((column) => (
							<th key={column} scope="col">
								<T k={`person.${column}`} />
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{users.map((user) => (
						<tr key={user.id}>
							<th scope="row">
								<Link href={`/users/${user.id}`} className="table-link">
									{fullName(user)}
								</Link>
							</th>
							<td>
								{user.kanaFamilyName} {user.kanaGivenName}
							</td>
							<td>
								<T k={`role.${user.role}` as Key} />
							</td>
							<td>{user.classTitle ?? ""}</td>
							<td>{user.username}</td>
							<td>
								<UserStatus status={user.status} />
							</td>
						</tr>
					))}
				</tbody>
			</table>
		</TableFrame>
	);
}

export function UserStatus({ status }: { status: User["status"] }) {
	return (
		<span className={`tag status-${status}`}>
			<T k={`status.${status}`} />
		</span>
	);
}

export function UsersPage() {
	const [search, setSearch] = useState("");
	const [role, setRole] = useState("");
	const [classId, setClass] = useState("");
	const [isNew, setNew] = useState(false);
	const [secret, setSecret] = useState<IssuedSecret>();
	const classes = useAll("/v1/classes");
	const q = useDeferredValue(search.trim());
	const users = usePages("/v1/users", {
		query: {
			q: q || undefined,
			role: (role || undefined) as UserRole | undefined,
			classId: classId || undefined,
			limit: PAGE_SIZE,
		},
	});
	const added = (issued: IssuedSecret) => {
		setNew(false);
		setSecret(issued);
	};
	return (
		<Page
			title={<T k="nav.users" />}
			name={t("nav.users")}
			wide
			side={
				!isNew && (
					<Button look="primary" icon="plus" onClick={() => setNew(true)}>
						<T k="users.new" />
					</Button>
				)
			}
		>
			{isNew && <NewUser onAdded={added} onCancel={() => setNew(false)} />}
			{secret && !isNew && <SecretCards secrets={[secret]} onDone={() => setSecret(undefined)} />}
			<search className="filters">
				<div className="field">
					<label htmlFor="user-search">
						<T k="users.search" />
					</label>
					<input
						id="user-search"
						type="search"
						value={search}
						maxLength={50}
						onChange={(event) => setSearch(event.target.value)}
					/>
				</div>
				<SelectField
					name="role"
					label="person.role"
					optional
					blank="common.all"
					value={role}
					options={roleOptions()}
					onChange={setRole}
				/>
				<SelectField
					name="classId"
					label="person.class"
					optional
					blank="common.all"
					value={classId}
					options={(classes.data ?? []).map(({ id, title, orgName }) => ({
						value: id,
						text: `${orgName} ${title}`,
					}))}
					onChange={setClass}
				/>
			</search>
			<Pages of={users} empty="users.none">
				{(items) => <UserTable users={items} />}
			</Pages>
			<p>
				<Link href="/erasures">
					<T k="erasure.title" />
				</Link>
			</p>
		</Page>
	);
}
