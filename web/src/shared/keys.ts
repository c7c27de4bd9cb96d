/* What lies sealed under which version of a contract's key, as the services counted it. */
import type { Keys } from "../api/types";

export type SealedCount = NonNullable<Keys["learning"]>["sealed"][number];

const SERVICES = ["provisioning", "learning", "notification"] as const;

/** The rows of all services that answered. */
export function sealedOf(keys: Keys): SealedCount[] {
	return SERVICES.flatMap((service) => keys[service]?.sealed ?? []);
}

/** How much lies under a version. */
export function countOf(rows: SealedCount[], version: number): number {
	return rows.reduce((sum, row) => sum + (row.version === version ? row.count : 0), 0);
}
