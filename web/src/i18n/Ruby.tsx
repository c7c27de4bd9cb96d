/* A text with its reading above it. Screen readers hear the text only, not both. */
interface RubyProps {
	text: string;
	reading: string;
}

export function Ruby({ text, reading }: RubyProps) {
	return (
		<ruby>
			{text}
			{/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a reading cannot be focused */}
			<rt aria-hidden="true">{reading}</rt>
		</ruby>
	);
}
