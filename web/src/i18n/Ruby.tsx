/*
 * A text with its reading above it. The reading is drawn from an attribute, so that the text stays
 * the bare text for whoever searches, copies or reads it aloud.
 */
interface RubyProps {
	text: string;
	reading: string;
}

export function Ruby({ text, reading }: RubyProps) {
	return (
		<ruby>
			{text}
			{/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a reading cannot be focused */}
			<rt aria-hidden="true" data-reading={reading} />
		</ruby>
	);
}
