/* What a list shows while it waits, when it is empty, and when it could not be read. */
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { ApiError } from "../api/client";
import { isKey, type Key, T, t } from "../i18n";
import { Button } from "./button";
import { Icon } from "./icons";

export function Loading() {
	return (
		<p className="loading" role="status">
			<span className="spinner" aria-hidden="true" />
			<T k="common.loading" />
		</p>
	);
}

export function Empty({ k, children }: { k: Key; children?: ReactNode }) {
	return (
		<div className="empty">
			<p>
				<T k={k} />
			</p>
			{children}
		</div>
	);
}

/**
 * What a person reads about an error: our words where we have them, else the server's title. Its
 * detail is for whoever looks for the cause, and in English.
 */
export function errorText(error: unknown): string {
	if (!(error instanceof ApiError)) return t("error.unknown");
	const key = `error.code.${error.code}`;
	const text = isKey(key) ? t(key) : error.title || t("error.unknown");
	if (error.retryAfterSeconds) {
		return `${text} ${t("error.retryAfter", { seconds: error.retryAfterSeconds })}`;
	}
	return text;
}

export function Alert({ children, tone = "error" }: { children: ReactNode; tone?: Tone }) {
	return (
		<div className={`alert ${tone}`} role={tone === "error" ? "alert" : "status"}>
			<Icon name={tone === "info" ? "info" : tone === "success" ? "check" : "warn"} />
			<div>{children}</div>
		</div>
	);
}

type Tone = "error" | "warning" | "info" | "success";

export function ErrorBox({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
	const isFinal = error instanceof ApiError && (error.status === 403 || error.status === 404);
	return (
		<Alert>
			<p>{errorText(error)}</p>
			{onRetry && !isFinal && (
				<Button icon="retry" onClick={onRetry}>
					<T k="common.retry" />
				</Button>
			)}
		</Alert>
	);
}

interface AsyncProps<A> {
	of: UseQueryResult<A, unknown>;
	children: (answer: NonNullable<A>) => ReactNode;
}

/** Shows the answer of a query; one that is there stays when reading it again fails (api/cache.ts). */
export function Async<A>({ of, children }: AsyncProps<A>) {
	if (of.data !== undefined && of.data !== null) return children(of.data as NonNullable<A>);
	if (of.error) return <ErrorBox error={of.error} onRetry={() => of.refetch()} />;
	return <Loading />;
}

interface PagesProps<I> {
	of: {
		data: I[] | undefined;
		error: unknown;
		hasNextPage: boolean;
		isFetchingNextPage: boolean;
		fetchNextPage: () => unknown;
		refetch: () => unknown;
	};
	empty: Key;
	children: (items: I[]) => ReactNode;
}

export function Pages<I>({ of, empty, children }: PagesProps<I>) {
	// A search that looks through much says page by page how far it is.
	const isSearching = of.data?.length === 0 && of.hasNextPage;
	useEffect(() => {
		if (isSearching && !of.isFetchingNextPage && !of.error) of.fetchNextPage();
	});
	if (of.error && (!of.data || isSearching))
		return <ErrorBox error={of.error} onRetry={() => of.refetch()} />;
	if (!of.data || isSearching) return <Loading />;
	if (of.data.length === 0) return <Empty k={empty} />;
	return (
		<>
			{children(of.data)}
			{of.hasNextPage && (
				<p className="more">
					<Button busy={of.isFetchingNextPage} onClick={() => of.fetchNextPage()}>
						<T k="common.more" />
					</Button>
				</p>
			)}
		</>
	);
}
