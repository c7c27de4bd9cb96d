/** One range a line, as people type and paste them: spaces, commas and empty lines do not count. */
export function rangesOf(text: string): string[] {
	return text.split(/[\s,、]+/).filter((range) => range !== "");
}
