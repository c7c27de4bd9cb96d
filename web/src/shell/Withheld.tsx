/*
 * One quiet line on any page of which something was left out that this person sees with more proof.
 * Loaded after the page, since few ever see it.
 */
import { notifyManager, useMutation, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { Link } from "wouter";
import { ApiError, address, type Proof, provePassword, withheldAt } from "../api/client";
import { T, t } from "../i18n";
import { Button } from "../ui/button";
import "../shared/labelTexts";

/** Of what the open page reads; the first that says so, because all would say the same. */
function useWithheld(): Proof | undefined {
	const cache = useQueryClient().getQueryCache();
	return useSyncExternalStore(
		(changed) => cache.subscribe(notifyManager.batchCalls(changed)),
		() => {
			for (const { queryKey } of cache.findAll({ type: "active" })) {
				const [path, params] = queryKey as [string, object | undefined];
				const proof = withheldAt(address(path, params));
				if (proof) return proof;
			}
			return undefined;
		},
	);
}

function AskPassword() {
	const client = useQueryClient();
	const ask = useMutation({
		mutationFn: () => provePassword(new ApiError(403, { code: "step_up_required" })),
		onSuccess: (isProven) => (isProven ? client.invalidateQueries() : undefined),
	});
	return (
		<Button look="quiet" busy={ask.isPending} onClick={() => ask.mutate()}>
			<T k="label.withheldProve" />
		</Button>
	);
}

export function Withheld() {
	const proof = useWithheld();
	if (!proof) return null;
	return (
		<aside className="withheld small" aria-label={t("label.title")}>
			<T k={`label.withheld.${proof}`} />{" "}
			{proof === "step-up" ? (
				<AskPassword />
			) : (
				<Link href="/settings" aria-label={t("label.withheldFactor")}>
					<T k="label.withheldFactor" />
				</Link>
			)}
		</aside>
	);
}
