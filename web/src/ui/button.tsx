/* Buttons and links that look like them: at least 48 px high, one look per weight. */
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Link } from "wouter";
import { nameOf } from "../i18n";
import { Icon, type IconName } from "./icons";

type Look = "primary" | "secondary" | "quiet" | "danger";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
	look?: Look;
	icon?: IconName;
	busy?: boolean;
	large?: boolean;
}

export function Button({
	look = "secondary",
	icon,
	busy,
	large,
	children,
	disabled,
	type = "button",
	...rest
}: ButtonProps) {
	return (
		<button
			aria-label={nameOf(children)}
			{...rest}
			type={type}
			className={`button ${look} ${large ? "large" : ""}`}
			disabled={disabled || busy}
			aria-busy={busy || undefined}
		>
			{busy ? <span className="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
			<span>{children}</span>
		</button>
	);
}

interface ButtonLinkProps {
	href: string;
	look?: Look;
	icon?: IconName;
	large?: boolean;
	children: ReactNode;
}

export function ButtonLink({ href, look = "secondary", icon, large, children }: ButtonLinkProps) {
	return (
		<Link
			href={href}
			className={`button ${look} ${large ? "large" : ""}`}
			aria-label={nameOf(children)}
		>
			{icon && <Icon name={icon} />}
			<span>{children}</span>
		</Link>
	);
}
