/* A screen: its title, the way back, and what stands to the right of the title. */
import { type ReactNode, useEffect, useRef } from "react";
import { Link } from "wouter";
import { type Key, nameOf, T, t } from "../i18n";
import { Icon } from "./icons";

interface PageProps {
	title: ReactNode;
	/** The same as bare text, for the browser's tab. */
	name: string;
	back?: { href: string; label: Key };
	side?: ReactNode;
	children: ReactNode;
	wide?: boolean;
}

export function Page({ title, name, back, side, children, wide }: PageProps) {
	const heading = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${name} | ${t("common.product")}`;
	}, [name]);
	useEffect(() => {
		heading.current?.focus(); // so that screen readers start at the new screen
		window.scrollTo(0, 0);
	}, []);
	return (
		<main className={`page ${wide ? "wide" : ""}`} id="main">
			{back && (
				<Link href={back.href} className="back" aria-label={t(back.label)}>
					<Icon name="back" />
					<T k={back.label} />
				</Link>
			)}
			<div className="page-head">
				<h1 ref={heading} tabIndex={-1} aria-label={nameOf(title)}>
					{title}
				</h1>
				{side && <div className="page-side">{side}</div>}
			</div>
			{children}
		</main>
	);
}

export function Section({
	title,
	children,
	side,
}: {
	title: ReactNode;
	children: ReactNode;
	side?: ReactNode;
}) {
	return (
		<section className="section">
			<div className="section-head">
				<h2 aria-label={nameOf(title)}>{title}</h2>
				{side}
			</div>
			{children}
		</section>
	);
}

/** A table that scrolls by itself on a small screen. */
export function TableFrame({ label, children }: { label: string; children: ReactNode }) {
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
		<section className="table-frame" aria-label={label} tabIndex={0}>
			{children}
		</section>
	);
}
