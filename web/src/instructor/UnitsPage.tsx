/* The units that can be taught. */
import { Link } from "wouter";
import { usePages } from "../api/hooks";
import { T, t } from "../i18n";
import { ButtonLink } from "../ui/button";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Pages } from "../ui/states";

export function UnitsPage() {
	const units = usePages("/v1/units");
	return (
		<Page
			title={<T k="nav.units" />}
			name={t("nav.units")}
			side={
				<ButtonLink href="/units/new" look="primary" icon="plus">
					<T k="teach.newUnit" />
				</ButtonLink>
			}
		>
			<Pages of={units} empty="units.none">
				{(items) => (
					<ul className="cards">
						{items.map((unit) => (
							<li key={unit.id}>
								<Link href={`/units/${unit.id}`} className="card-link">
									<span className="card-picture">
										<Icon name="book" />
									</span>
									<span className="card-text">
										<strong>{unit.title}</strong>
										{unit.description && <span>{unit.description}</span>}
										<span>
											<T k="units.skillCount" n={unit.skillCount} />
										</span>
									</span>
									<Icon name="next" />
								</Link>
							</li>
						))}
					</ul>
				)}
			</Pages>
		</Page>
	);
}
