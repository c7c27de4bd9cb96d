/* Parts in files of their own, loaded when they are needed. */
import { type ComponentType, lazy } from "react";

/** The network was away, or the server has a newer release and this part of ours no more. */
export class NotLoaded extends Error {}

/** `later(async () => (await import("./x")).X)`; Boundary.tsx says so when it cannot be loaded. */
export function later<P>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
	return lazy(async () => {
		try {
			return { default: await load() };
		} catch (cause) {
			throw new NotLoaded("a part of the page", { cause });
		}
	});
}
