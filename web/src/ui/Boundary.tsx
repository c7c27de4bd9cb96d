/* What a person sees instead of a white page when a part of it could not be loaded or drawn. */
import { Component, type ReactNode, useState } from "react";
import { useLocation } from "wouter";
import { T } from "../i18n";
import { Button, ButtonLink } from "./button";
import { NotLoaded } from "./later";
import { Alert } from "./states";

/** Is the server there? A reload without it would leave nothing but the browser's own error. */
async function isReachable(): Promise<boolean> {
	try {
		await fetch("/", { cache: "no-store" });
		return true;
	} catch {
		return false;
	}
}

/** Only a reload helps: lazy() remembers what failed, and a new release has other files. */
function Failure({ error }: { error: unknown }) {
	const [isAway, setAway] = useState(false);
	const text = error instanceof NotLoaded ? "error.notLoaded" : "error.broken";
	const again = async () => {
		if (await isReachable()) window.location.reload();
		else setAway(true);
	};
	return (
		<main className="page" id="main">
			<Alert>
				<p>
					<T k={isAway ? "error.code.network" : text} />
				</p>
				<div className="actions">
					<Button icon="retry" look="primary" onClick={again}>
						<T k="common.retry" />
					</Button>
					<ButtonLink href="/" icon="home">
						<T k="nav.home" />
					</ButtonLink>
				</div>
			</Alert>
		</main>
	);
}

interface Props {
	place: string;
	children: ReactNode;
}

interface State {
	place?: string;
	failure?: { error: unknown };
}

class Catcher extends Component<Props, State> {
	override state: State = {};

	static getDerivedStateFromError(error: unknown): State {
		return { failure: { error } };
	}

	static getDerivedStateFromProps({ place }: Props, state: State): State | null {
		return place === state.place ? null : { place, failure: undefined };
	}

	override render() {
		const { failure } = this.state;
		return failure ? <Failure error={failure.error} /> : this.props.children;
	}
}

/** What is around it stays, uploads and the navigation above all; another address tries again. */
export function Boundary({ children }: { children: ReactNode }) {
	const [place] = useLocation();
	return <Catcher place={place}>{children}</Catcher>;
}
