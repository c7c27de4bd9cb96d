/* What every home screen shares: reading it, and saying which part did not answer. */
import { Link } from "wouter";
import { useApi } from "../api/hooks";
import type { Announcement, Home } from "../api/types";
import { dateTime } from "../format/time";
import { type Key, T } from "../i18n";
import { Icon } from "../ui/icons";
import { Section } from "../ui/page";
import { Alert } from "../ui/states";

export function useHome() {
	return useApi("/v1/home");
}

const PARTS: Record<string, Key> = {
	learning: "home.partLearning",
	notification: "home.partNotification",
	provisioning: "home.partProvisioning",
};

/** A part that did not answer is named; the rest of the screen stands. */
export function PartialNote({ home }: { home: Home }) {
	const missing = (["learning", "notification", "provisioning"] as const).filter(
		(part) => home[part] === null || home[part] === undefined,
	);
	if (missing.length === 0) return null;
	return (
		<Alert tone="warning">
			<p>
				<T k="home.partial" />
			</p>
			<ul>
				{missing.map((part) => (
					<li key={part}>
						<T k={PARTS[part] as Key} />
					</li>
				))}
			</ul>
		</Alert>
	);
}

export function fullName(person: { familyName?: string; givenName?: string } | null): string {
	return [person?.familyName, person?.givenName].filter(Boolean).join(" ");
}

export function LatestAnnouncements({ items }: { items: Announcement[] }) {
	if (items.length === 0) return null;
	return (
		<Section title={<T k="nav.announcements" />}>
			<ul className="plain-list">
				{items.slice(0, 3).map((item) => (
					<li key={item.id}>
						<Link href="/announcements" className="row-link">
							<Icon name="megaphone" />
							<span className="grow">{item.title}</span>
							<time dateTime={item.createdAt}>{dateTime(item.createdAt)}</time>
						</Link>
					</li>
				))}
			</ul>
		</Section>
	);
}
