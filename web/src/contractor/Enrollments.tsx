/* Who is in a class: adding, changing, suspending and removing. */
import { useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { api } from "../api/client";
import { newKey, refresh, useAll, useApi, useWrite } from "../api/hooks";
import type { Enrollment } from "../api/types";
import { type Key, T, t } from "../i18n";
import { fullName } from "../shared/home";
import { Members } from "../shared/Members";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Form, TextField, text } from "../ui/form";
import { Section } from "../ui/page";
import { Alert, Async, Empty, errorText } from "../ui/states";
import { useToast } from "../ui/toast";
import { etagOf, revive } from "./enrollment";

const FOUND_MAX = 10;

/** Find a person by name or reading and put them into the class. */
function Adder({ classId, members }: { classId: string; members: Enrollment[] }) {
	const [search, setSearch] = useState("");
	const q = useDeferredValue(search.trim());
	const params = { classId };
	const found = useApi("/v1/users", { query: { q, limit: FOUND_MAX }, enabled: q !== "" });
	const write = useWrite("post", "/v1/classes/{classId}/enrollments", [
		"/v1/classes/{classId}/enrollments",
		"/v1/classes",
	]);
	const isIn = (userId: string) => members.some((member) => member.userId === userId);
	return (
		<div className="panel">
			<div className="field">
				<label htmlFor="member-search">
					<T k="classes.findMember" />
				</label>
				<input
					id="member-search"
					type="search"
					value={search}
					maxLength={50}
					onChange={(event) => setSearch(event.target.value)}
				/>
			</div>
			{write.error && <Alert>{errorText(write.error)}</Alert>}
			{q !== "" && (
				<Async of={found}>
					{({ items }) =>
						items.length === 0 ? (
							<Empty k="users.none" />
						) : (
							<ul className="plain-list">
								{items
									.filter((user) => user.role !== "contractor")
									.map((user) => (
										<li key={user.id} className="row">
											<span className="grow">
												{fullName(user)}（{user.kanaFamilyName} {user.kanaGivenName}）
												<T k={`role.${user.role}` as Key} />
											</span>
											<Button
												icon="plus"
												disabled={isIn(user.id)}
												busy={write.isPending && write.variables?.body?.userId === user.id}
												aria-label={t("classes.addNamed", { name: fullName(user) })}
												onClick={() => write.mutate({ params, body: { userId: user.id } })}
											>
												<T k={isIn(user.id) ? "classes.isIn" : "classes.add"} />
											</Button>
										</li>
									))}
							</ul>
						)
					}
				</Async>
			)}
		</div>
	);
}

const CHANGED = ["/v1/classes/{classId}/enrollments", "/v1/classes"] as const;

function Suspension({ enrollment, onDone }: { enrollment: Enrollment; onDone: () => void }) {
	const isActive = enrollment.status === "active";
	const write = useWrite(
		"post",
		isActive ? "/v1/enrollments/{enrollmentId}/suspend" : "/v1/enrollments/{enrollmentId}/restore",
		[...CHANGED],
	);
	const params = { enrollmentId: enrollment.id };
	return (
		<>
			<p className="hint">
				<T k="classes.restHint" />
			</p>
			<Button
				busy={write.isPending}
				onClick={() => write.mutate({ params }, { onSuccess: onDone })}
			>
				<T k={isActive ? "users.suspend" : "users.restore"} />
			</Button>
			{write.error && <Alert>{errorText(write.error)}</Alert>}
		</>
	);
}

/** From when until when, and for a teacher whether in charge. */
function Change({ enrollment, onDone }: { enrollment: Enrollment; onDone: () => void }) {
	const write = useWrite("put", "/v1/enrollments/{enrollmentId}", [...CHANGED]);
	const show = useToast();
	const params = { enrollmentId: enrollment.id };
	const save = (data: FormData) => {
		const body = {
			role: enrollment.role,
			primary: data.has("primary"),
			beginDate: text(data, "beginDate"),
			endDate: text(data, "endDate"),
		};
		const done = () => {
			show({ text: t("users.changed") });
			onDone();
		};
		write.mutate({ params, body, ifMatch: etagOf(enrollment) }, { onSuccess: done });
	};
	const title = t("classes.changeNamed", { name: fullName(enrollment) });
	return (
		<Dialog title={title} onClose={onDone}>
			<Form label={title} onSubmit={save} error={write.error ?? undefined}>
				{enrollment.role === "teacher" && (
					<label className="check">
						<input type="checkbox" name="primary" defaultChecked={enrollment.primary} />
						<span>
							<T k="classes.primary" />
						</span>
					</label>
				)}
				<div className="form-row">
					<TextField
						name="beginDate"
						label="classes.beginDate"
						type="date"
						optional
						defaultValue={enrollment.beginDate}
					/>
					<TextField
						name="endDate"
						label="classes.endDate"
						hint="classes.endDateHint"
						type="date"
						optional
						defaultValue={enrollment.endDate}
					/>
				</div>
				<Button look="primary" type="submit" busy={write.isPending}>
					<T k="users.change" />
				</Button>
			</Form>
			<Suspension enrollment={enrollment} onDone={onDone} />
		</Dialog>
	);
}

export function Enrolled({ classId, isActive }: { classId: string; isActive: boolean }) {
	const params = { classId };
	const client = useQueryClient();
	const show = useToast();
	const [error, setError] = useState<unknown>();
	const [changing, setChanging] = useState<Enrollment>();
	const enrollments = useAll("/v1/classes/{classId}/enrollments", { params });
	const reload = () => refresh(client, ...CHANGED);
	const remove = async (enrollment: Enrollment) => {
		const undo = async () => {
			await revive(api, newKey(), classId, enrollment).catch(setError);
			await reload();
		};
		try {
			setError(undefined);
			await api("delete", "/v1/enrollments/{enrollmentId}", {
				params: { enrollmentId: enrollment.id },
			});
			await reload();
			show({ text: t("classes.removed", { name: fullName(enrollment) }), undo });
		} catch (e) {
			setError(e);
		}
	};
	return (
		<Section title={<T k="classes.members" />}>
			{error !== undefined && <Alert>{errorText(error)}</Alert>}
			{changing && <Change enrollment={changing} onDone={() => setChanging(undefined)} />}
			<Async of={enrollments}>
				{(items) => (
					<>
						{isActive && <Adder classId={classId} members={items} />}
						<Members
							items={items}
							action={(enrollment) => (
								<span className="actions">
									<Button
										onClick={() => setChanging(enrollment)}
										aria-label={t("classes.changeNamed", { name: fullName(enrollment) })}
									>
										<T k="classes.change" />
									</Button>
									<Button
										onClick={() => remove(enrollment)}
										aria-label={t("classes.removeNamed", { name: fullName(enrollment) })}
									>
										<T k="classes.remove" />
									</Button>
								</span>
							)}
						/>
					</>
				)}
			</Async>
		</Section>
	);
}
