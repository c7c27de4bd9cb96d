/* Everything behind the login: which screen stands at which address, for whom. Each screen is loaded
 * when it is needed. */
import { type ComponentType, Suspense, useEffect } from "react";
import { Route, Switch } from "wouter";
import type { Role } from "./api/types";
import { startUploads } from "./media/uploads";
import { useSelf } from "./session/session";
import { NotFoundPage } from "./shell/NotFoundPage";
import { Shell } from "./shell/Shell";
import { Boundary } from "./ui/Boundary";
import { later } from "./ui/later";
import { Loading } from "./ui/states";

type Screen = ComponentType<{ params: Record<string, string | undefined> }>;

/** A screen in a file of its own: `page(() => import("./x"), "XPage")`. */
function page<N extends string>(load: () => Promise<Record<N, unknown>>, name: N): Screen {
	return later(async () => (await load())[name] as Screen);
}

const COMMON: Record<string, Screen> = {
	"/notices": page(() => import("./shared/NoticesPage"), "NoticesPage"),
	"/announcements": page(() => import("./shared/AnnouncementsPage"), "AnnouncementsPage"),
	"/settings": page(() => import("./shared/SettingsPage"), "SettingsPage"),
};

const SEARCH = page(() => import("./shared/SearchPage"), "SearchPage");

const ANOMALIES = page(() => import("./contractor/AnomaliesPage"), "AnomaliesPage");

const AUDIT = page(() => import("./contractor/AuditPage"), "AuditPage");

const FirstPassword = page(() => import("./session/FirstPasswordPage"), "FirstPasswordPage");

const Closed = page(() => import("./contractor/ClosedPage"), "ClosedPage");

const KEYS = page(() => import("./shared/KeysPage"), "KeysPage");

const SCREENS: Record<Role, Record<string, Screen>> = {
	student: {
		"/": page(() => import("./student/HomePage"), "HomePage"),
		"/assignments/:id": page(() => import("./student/AssignmentPage"), "AssignmentPage"),
		"/assignments/:id/skills/:skillId": page(() => import("./student/SkillPage"), "SkillPage"),
		"/tries": page(() => import("./student/TriesPage"), "TriesPage"),
		"/tries/:id": page(() => import("./student/TryPage"), "TryPage"),
		"/uploads": page(() => import("./student/UploadsPage"), "UploadsPage"),
	},
	instructor: {
		"/": page(() => import("./instructor/HomePage"), "HomePage"),
		"/skills": page(() => import("./instructor/SkillsPage"), "SkillsPage"),
		"/units": page(() => import("./instructor/UnitsPage"), "UnitsPage"),
		"/units/new": page(() => import("./instructor/NewUnitPage"), "NewUnitPage"),
		"/units/:id": page(() => import("./instructor/UnitPage"), "UnitPage"),
		"/classes": page(() => import("./instructor/ClassesPage"), "ClassesPage"),
		"/search": SEARCH,
		"/assignments/:id": page(() => import("./instructor/BoardPage"), "BoardPage"),
		"/tries/:id": page(() => import("./instructor/ReviewPage"), "ReviewPage"),
	},
	contractor: {
		"/": page(() => import("./contractor/HomePage"), "HomePage"),
		"/users": page(() => import("./contractor/UsersPage"), "UsersPage"),
		"/users/:id": page(() => import("./contractor/UserPage"), "UserPage"),
		"/erasures": page(() => import("./contractor/ErasuresPage"), "ErasuresPage"),
		"/classes": page(() => import("./contractor/ClassesPage"), "ClassesPage"),
		"/classes/:id": page(() => import("./contractor/ClassPage"), "ClassPage"),
		"/search": SEARCH,
		"/import": page(() => import("./contractor/ImportPage"), "ImportPage"),
		"/export": page(() => import("./contractor/ExportPage"), "ExportPage"),
		"/import/archive": page(() => import("./contractor/ArchivePage"), "ArchivePage"),
		"/features": page(() => import("./contractor/FeaturesPage"), "FeaturesPage"),
		"/retention": page(() => import("./contractor/RetentionPage"), "RetentionPage"),
		"/sources": page(() => import("./contractor/SourcesPage"), "SourcesPage"),
		"/anomalies": ANOMALIES,
		"/keys": KEYS,
		"/audit": AUDIT,
	},
	operator: {
		"/": page(() => import("./operator/HomePage"), "HomePage"),
		"/contracts": page(() => import("./operator/ContractsPage"), "ContractsPage"),
		"/contracts/:id": page(() => import("./operator/ContractPage"), "ContractPage"),
		"/anomalies": ANOMALIES,
		"/keys": KEYS,
		"/audit": AUDIT,
	},
};

function Screens({ role }: { role: Role }) {
	return (
		<Suspense fallback={<Loading />}>
			<Switch>
				{Object.entries({ ...SCREENS[role], ...COMMON }).map(([path, Component]) => (
					<Route key={path} path={path}>
						{(params) => (
							<Component
								key={Object.values(params).join()}
								params={params as Record<string, string | undefined>}
							/>
						)}
					</Route>
				))}
				<Route>
					<NotFoundPage />
				</Route>
			</Switch>
		</Suspense>
	);
}

export function Inside() {
	const { role, userId, mustChangePassword, contractClosed } = useSelf();
	useEffect(() => {
		if (role === "student" && !mustChangePassword) startUploads(userId);
	}, [role, userId, mustChangePassword]);
	if (mustChangePassword) return <FirstPassword params={{}} />;
	if (contractClosed) return <Closed params={{}} />;
	return (
		<Shell>
			<Boundary>
				<Screens role={role} />
			</Boundary>
		</Shell>
	);
}
