/* People, classes, skills, units and announcements by a part of their names: one field for the staff. */
import { type ReactNode, useDeferredValue, useState } from "react";
import { Link } from "wouter";
import { useApi } from "../api/hooks";
import type { Answer } from "../api/types";
import { type Key, T, t } from "../i18n";
import { useSelf } from "../session/session";
import { Page } from "../ui/page";
import { Alert, Async, Empty } from "../ui/states";
import { fullName } from "./home";

type Found = Answer<"get", "/v1/search">;

interface Hit {
	id: string;
	text: string;
	more?: string;
	/** Where it is looked at; none when there is no screen of its own for this role. */
	href?: string;
}

/** What was found, by kind, in the order in which people look for it. */
export function groupsOf(found: Found, isContractor: boolean): { label: Key; hits: Hit[] }[] {
	const { provisioning, learning, notification } = found;
	const groups: { label: Key; hits: Hit[] }[] = [
		{
			label: "search.users",
			hits: (provisioning?.users ?? []).map((user) => ({
				id: user.id,
				text: fullName(user),
				more: `${user.kanaFamilyName} ${user.kanaGivenName}`,
				href: isContractor ? `/users/${user.id}` : "/classes",
			})),
		},
		{
			label: "nav.classes",
			hits: (provisioning?.classes ?? []).map(({ id, title, orgName }) => ({
				id,
				text: title,
				more: orgName,
				href: isContractor ? `/classes/${id}` : "/classes",
			})),
		},
		{
			label: "nav.units",
			hits: (learning?.units ?? []).map(({ id, title }) => ({
				id,
				text: title,
				href: isContractor ? undefined : `/units/${id}`,
			})),
		},
		{
			label: "nav.skills",
			hits: (learning?.skills ?? []).map(({ id, name }) => ({
				id,
				text: name,
				href: isContractor ? undefined : "/skills",
			})),
		},
		{
			label: "nav.announcements",
			hits: (notification?.announcements ?? []).map(({ id, title }) => ({
				id,
				text: title,
				href: "/announcements",
			})),
		},
	];
	return groups.filter(({ hits }) => hits.length > 0);
}

function Group({ label, children }: { label: Key; children: ReactNode }) {
	return (
		<section>
			<h2>
				<T k={label} />
			</h2>
			<ul className="plain">{children}</ul>
		</section>
	);
}

function Results({ found }: { found: Found }) {
	const groups = groupsOf(found, useSelf().role === "contractor");
	return (
		<>
			{found.partial.length > 0 && (
				<Alert tone="warning">
					<T k="search.partial" />
				</Alert>
			)}
			{groups.length === 0 && <Empty k="search.none" />}
			{groups.map(({ label, hits }) => (
				<Group key={label} label={label}>
					{hits.map(({ id, text, more, href }) => (
						<li key={id}>
							{href ? <Link href={href}>{text}</Link> : text} {more}
						</li>
					))}
				</Group>
			))}
		</>
	);
}

export function SearchPage() {
	const [text, setText] = useState("");
	const q = useDeferredValue(text.trim());
	const found = useApi("/v1/search", { query: { q }, enabled: q !== "" });
	return (
		<Page title={<T k="search.title" />} name={t("search.title")}>
			<search className="filters">
				<div className="field">
					<label htmlFor="search-text">
						<T k="search.label" />
					</label>
					<input
						id="search-text"
						type="search"
						value={text}
						maxLength={50}
						autoComplete="off"
						onChange={(event) => setText(event.target.value)}
					/>
				</div>
			</search>
			<div aria-live="polite">
				{q !== "" && <Async of={found}>{(answer) => <Results found={answer} />}</Async>}
			</div>
		</Page>
	);
}
