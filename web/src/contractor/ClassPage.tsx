/* One class: its name, who is in it, adding and removing people. */
import { useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { newKey, refresh, useApi, useWrite } from "../api/hooks";
import type { Enrollment, Grade, SchoolClass } from "../api/types";
import { type Key, T, t } from "../i18n";
import { fullName } from "../shared/home";
import { Members } from "../shared/Members";
import { gradeOptions } from "../shared/person";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Form, SelectField, TextField, text } from "../ui/form";
import { Page, Section } from "../ui/page";
import { Alert, Async, Empty, errorText } from "../ui/states";
import { useToast } from "../ui/toast";

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

function Enrolled({ classId }: { classId: string }) {
	const params = { classId };
	const client = useQueryClient();
	const show = useToast();
	const [error, setError] = useState<unknown>();
	const enrollments = useApi("/v1/classes/{classId}/enrollments", { params });
	const reload = () => refresh(client, "/v1/classes/{classId}/enrollments", "/v1/classes");
	const remove = async (enrollment: Enrollment) => {
		const { userId } = enrollment;
		const undo = async () => {
			const path = "/v1/classes/{classId}/enrollments";
			await api("post", path, { params, body: { userId }, key: newKey() }).catch(setError);
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
			<Async of={enrollments}>
				{({ items }) => (
					<>
						<Adder classId={classId} members={items} />
						<Members
							items={items}
							action={(enrollment) => (
								<Button
									onClick={() => remove(enrollment)}
									aria-label={t("classes.removeNamed", { name: fullName(enrollment) })}
								>
									<T k="classes.remove" />
								</Button>
							)}
						/>
					</>
				)}
			</Async>
		</Section>
	);
}

function Rename({ item }: { item: SchoolClass }) {
	const show = useToast();
	const write = useWrite("patch", "/v1/classes/{classId}", ["/v1/classes"]);
	const save = (data: FormData) => {
		const body = {
			title: text(data, "title"),
			grade: text(data, "grade") as Grade | undefined,
		};
		write.mutate(
			{ params: { classId: item.id }, body },
			{ onSuccess: () => show({ text: t("users.changed") }) },
		);
	};
	return (
		<Section title={<T k="classes.rename" />}>
			<Form label={t("classes.rename")} onSubmit={save} error={write.error ?? undefined}>
				<div className="form-row">
					<TextField name="title" label="classes.title" maxLength={100} defaultValue={item.title} />
					<SelectField
						name="grade"
						label="person.grade"
						optional
						blank="person.noGrade"
						options={gradeOptions()}
						defaultValue={item.grade}
					/>
				</div>
				<Button look="primary" type="submit" busy={write.isPending}>
					<T k="users.change" />
				</Button>
			</Form>
		</Section>
	);
}

function Delete({ item }: { item: SchoolClass }) {
	const [isAsking, setAsking] = useState(false);
	const [, go] = useLocation();
	const client = useQueryClient();
	const remove = async () => {
		await api("delete", "/v1/classes/{classId}", { params: { classId: item.id } });
		go("/classes");
		await refresh(client, "/v1/classes");
	};
	return (
		<Section title={<T k="classes.delete" />}>
			<Button look="danger" onClick={() => setAsking(true)}>
				<T k="classes.delete" />
			</Button>
			{isAsking && (
				<ConfirmDialog
					title={<T k="classes.delete" />}
					action="classes.deleteConfirm"
					typed={item.title}
					onConfirm={remove}
					onClose={() => setAsking(false)}
				>
					<p>
						<T k="classes.deleteText" />
					</p>
				</ConfirmDialog>
			)}
		</Section>
	);
}

export function ClassPage({ params }: { params: { id: string } }) {
	const classes = useApi("/v1/classes");
	const item = classes.data?.items.find(({ id }) => id === params.id);
	const name = item?.title ?? t("nav.classes");
	return (
		<Page title={name} name={name} back={{ href: "/classes", label: "nav.classes" }}>
			<Async of={classes}>
				{() =>
					item ? (
						<>
							<p className="lead">{item.orgName}</p>
							<Enrolled classId={item.id} />
							<Rename item={item} />
							<Delete item={item} />
						</>
					) : (
						<Empty k="error.notFoundText" />
					)
				}
			</Async>
		</Page>
	);
}
