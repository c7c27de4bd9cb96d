/* The units that can be taught. */
import { Link } from "wouter";
import { useApi } from "../api/hooks";
import { T, t } from "../i18n";
import { ButtonLink } from "../ui/button";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Async, Empty } from "../ui/states";

export function UnitsPage() {
	const units = useApi("/v1/units");
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
			<Async of={units}>
				{({ items }) =>
					items.length === 0 ? (
						<Empty k="units.none" />
					) : (
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
					)
				}
			</Async>
		</Page>
	);
}
