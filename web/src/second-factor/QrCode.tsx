/* A text as a QR code. Loaded only where one is shown. */
import encodeQR from "qr";

const QUIET = 4; // modules of light around it, which readers want

/** The dark modules as one path: a unit square each. */
export function pathOf(modules: boolean[][]): string {
	return modules
		.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : "")))
		.join("");
}

export default function QrCode({ text, name }: { text: string; name: string }) {
	const modules = encodeQR(text, "raw", { border: QUIET });
	const size = modules.length;
	return (
		<svg
			role="img"
			aria-label={name}
			viewBox={`0 0 ${size} ${size}`}
			width="240"
			height="240"
			shapeRendering="crispEdges"
		>
			<rect width={size} height={size} fill="#fff" />
			<path d={pathOf(modules)} fill="#000" />
		</svg>
	);
}
