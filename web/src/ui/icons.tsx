/* Drawn here so that no font and no icon package is needed. Decorative: the text says the same. */
const PATHS = {
	home: "M3 11 12 4l9 7M5 10v10h5v-6h4v6h5V10",
	bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
	user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 4-7 8-7s7 2 8 7",
	users:
		"M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-5 3-7 7-7s7 2 7 7M16 3.5a4 4 0 0 1 0 7M18 14.5c3 .8 4 3 4 6.5",
	film: "M3 5h18v14H3zM8 5v14M16 5v14M3 9.7h5M3 14.3h5M16 9.7h5M16 14.3h5",
	camera: "M3 7h11v10H3zM14 11l7-4v10l-7-4",
	board: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
	book: "M4 5c3-1.5 6-1 8 1v14c-2-2-5-2.5-8-1zM20 5c-3-1.5-6-1-8 1v14c2-2 5-2.5 8-1z",
	upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
	table: "M3 5h18v14H3zM3 10h18M9 5v14",
	list: "M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01",
	lock: "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3",
	eye: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
	check: "M4 12.5 10 18 20 6",
	close: "M5 5l14 14M19 5 5 19",
	plus: "M12 4v16M4 12h16",
	next: "M9 5l7 7-7 7",
	back: "M15 5l-7 7 7 7",
	play: "M7 4l13 8-13 8z",
	pause: "M8 5v14M16 5v14",
	stop: "M6 6h12v12H6z",
	retry: "M20 12a8 8 0 1 1-2.5-5.8M20 3v5h-5",
	send: "M3 11 21 3l-7 18-3-7z",
	flag: "M5 21V4h13l-3 4.5L18 13H5",
	speak: "M4 5h16v11H11l-5 4v-4H4z",
	star: "M12 3l2.7 5.7 6.3.8-4.6 4.3 1.2 6.2L12 17l-5.6 3 1.2-6.2L3 9.5l6.3-.8z",
	warn: "M12 3 2 20h20zM12 10v5M12 17.5v.01",
	info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v6M12 7.5v.01",
	megaphone: "M4 10v5h3l9 5V5l-9 5zM19.5 9.5c1 1.5 1 4 0 6",
	gear: "M4 7h9M19 7h1M4 17h1M11 17h9M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
	search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
	print: "M7 9V3h10v6M5 17H3V9h18v8h-2M7 14h10v7H7z",
	menu: "M3 6h18M3 12h18M3 18h18",
	turn: "M4 9h12a4 4 0 0 1 0 8H8M8 5 4 9l4 4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
	return (
		<svg className={`icon ${className}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
			<path d={PATHS[name]} />
		</svg>
	);
}

/** A face from sad (0) to glad (1). */
export function Face({ mood }: { mood: number }) {
	const bend = (mood - 0.5) * 16;
	return (
		<svg className="face" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
			<circle cx="24" cy="24" r="21" className="face-skin" />
			<circle cx="17" cy="20" r="2.6" className="face-eye" />
			<circle cx="31" cy="20" r="2.6" className="face-eye" />
			<path
				d={`M15 ${31 - bend / 2} Q24 ${31 + bend} 33 ${31 - bend / 2}`}
				className="face-mouth"
			/>
		</svg>
	);
}

export function Logo() {
	return <img className="logo" src="/icon.svg" alt="" width="40" height="40" />;
}
