/* The frame around every screen behind the login: brand, navigation, unread badge. */
import { createContext, type ReactNode, Suspense, useContext, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { useApi } from "../api/hooks";
import type { Role } from "../api/types";
import { type Key, T, t } from "../i18n";
import { useUploads } from "../media/uploads";
import { useSelf } from "../session/session";
import { Icon, type IconName, Logo } from "../ui/icons";
import { later } from "../ui/later";
import { useEvents } from "./events";

interface Place {
	href: string;
	label: Key;
	icon: IconName;
}

const HOME: Place = { href: "/", label: "nav.home", icon: "home" };
const ANNOUNCEMENTS: Place = {
	href: "/announcements",
	label: "nav.announcements",
	icon: "megaphone",
};

const PLACES: Record<Role, Place[]> = {
	student: [
		HOME,
		{ href: "/tries", label: "nav.tries", icon: "film" },
		{ href: "/announcements", label: "nav.announcements", icon: "megaphone" },
		{ href: "/settings", label: "nav.settings", icon: "gear" },
	],
	instructor: [
		HOME,
		{ href: "/units", label: "nav.units", icon: "book" },
		{ href: "/skills", label: "nav.skills", icon: "star" },
		{ href: "/classes", label: "nav.classes", icon: "users" },
		ANNOUNCEMENTS,
	],
	contractor: [
		HOME,
		{ href: "/users", label: "nav.users", icon: "user" },
		{ href: "/classes", label: "nav.classes", icon: "users" },
		{ href: "/import", label: "nav.import", icon: "upload" },
		{ href: "/features", label: "nav.features", icon: "lock" },
		{ href: "/sources", label: "nav.sources", icon: "flag" },
		ANNOUNCEMENTS,
		{ href: "/audit", label: "nav.audit", icon: "list" },
	],
	operator: [
		HOME,
		{ href: "/contracts", label: "nav.contracts", icon: "table" },
		ANNOUNCEMENTS,
		{ href: "/audit", label: "nav.audit", icon: "list" },
	],
};

const Withheld = later(async () => (await import("./Withheld")).Withheld);

const Live = createContext(false);

/** Is the line for events up? */
export function useLive(): boolean {
	return useContext(Live);
}

function Places({ places, onGo }: { places: Place[]; onGo?: () => void }) {
	const [location] = useLocation();
	return (
		<ul>
			{places.map(({ href, label, icon }) => {
				const isHere = href === "/" ? location === "/" : location.startsWith(href);
				return (
					<li key={href}>
						<Link
							href={href}
							aria-label={t(label)}
							aria-current={isHere ? "page" : undefined}
							onClick={onGo}
						>
							<Icon name={icon} />
							<span>
								<T k={label} />
							</span>
						</Link>
					</li>
				);
			})}
		</ul>
	);
}

/** The number is drawn from an attribute: the link's name says it in words. */
function Badge({ count }: { count: number }) {
	return <span className="badge" data-count={count > 99 ? "99+" : count} />;
}

function Bell() {
	const notices = useApi("/v1/notices", { query: { limit: 20 } });
	const unread = notices.data?.unreadCount ?? 0;
	const label = unread > 0 ? t("nav.noticesUnread", { n: unread }) : t("nav.notices");
	return (
		<Link href="/notices" className="tool" aria-label={label}>
			<Icon name="bell" />
			<span className="tool-text">
				<T k="nav.notices" />
			</span>
			{unread > 0 && <Badge count={unread} />}
		</Link>
	);
}

function maySearch(role: Role): boolean {
	return role === "contractor" || role === "instructor";
}

function Search() {
	return (
		<Link href="/search" className="tool" aria-label={t("search.title")}>
			<Icon name="search" />
			<span className="tool-text">
				<T k="search.title" />
			</span>
		</Link>
	);
}

function Unsent() {
	const unsent = useUploads().filter((clip) => clip.state !== "done").length;
	if (unsent === 0) return null;
	return (
		<Link href="/uploads" className="tool" aria-label={t("nav.unsent", { n: unsent })}>
			<Icon name="upload" />
			<span className="tool-text">
				<T k="nav.uploads" />
			</span>
			<Badge count={unsent} />
		</Link>
	);
}

export function Shell({ children }: { children: ReactNode }) {
	const self = useSelf();
	const isLive = useEvents();
	const [isOpen, setOpen] = useState(false);
	const [location] = useLocation();
	// biome-ignore lint/correctness/useExhaustiveDependencies: going anywhere closes the menu
	useEffect(() => setOpen(false), [location]);
	const places = PLACES[self.role];
	const isStudent = self.role === "student";
	return (
		<Live value={isLive}>
			<a className="skip" href="#main">
				<T k="nav.skip" />
			</a>
			<header className="top">
				<div className="top-row">
					<Link href="/" className="brand" aria-label={t("common.product")}>
						<Logo />
						<span>
							<T k="common.product" />
						</span>
					</Link>
					<span className="tenant">{self.tenantName}</span>
					<div className="tools">
						<Unsent />
						{maySearch(self.role) && <Search />}
						<Bell />
						<Link href="/settings" className="tool" aria-label={t("nav.account")}>
							<Icon name="user" />
							<span className="tool-text">{self.username}</span>
						</Link>
						{!isStudent && (
							<button
								type="button"
								className="tool menu-button"
								aria-expanded={isOpen}
								onClick={() => setOpen(!isOpen)}
							>
								<Icon name={isOpen ? "close" : "menu"} />
								<span>
									<T k="nav.menu" />
								</span>
							</button>
						)}
					</div>
				</div>
				<nav
					className={isStudent ? "places student" : `places ${isOpen ? "open" : ""}`}
					aria-label={t("nav.main")}
				>
					<Places places={places} />
				</nav>
			</header>
			<Suspense>
				<Withheld />
			</Suspense>
			{children}
		</Live>
	);
}
