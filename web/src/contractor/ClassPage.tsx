/* One class: its name, who is in it, suspending, restoring and deleting it. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { ApiError, api } from "../api/client";
import { refresh, useTagged, useWrite } from "../api/hooks";
import type { Grade, SchoolClass } from "../api/types";
import { T, t } from "../i18n";
import { RestMark } from "../shared/Members";
import { gradeOptions } from "../shared/person";
import { Button } from "../ui/button";
import { ConfirmDialog } from "../ui/dialog";
import { Form, SelectField, TextField, text } from "../ui/form";
import { later } from "../ui/later";
import { Page, Section } from "../ui/page";
import { Alert, Async, errorText } from "../ui/states";
import { useToast } from "../ui/toast";
import { Enrolled } from "./Enrollments";

const ClassLabel = later(async () => (await import("../shared/Label")).ClassLabel);

const CHANGED = ["/v1/classes/{classId}", "/v1/classes"] as const;

function Rename({ item, etag }: { item: SchoolClass; etag?: string }) {
	const show = useToast();
	const write = useWrite("patch", "/v1/classes/{classId}", [...CHANGED]);
	const isStale = write.error instanceof ApiError && write.error.status === 412;
	const save = (data: FormData) => {
		const body = {
			title: text(data, "title"),
			grade: text(data, "grade") as Grade | undefined,
		};
		write.mutate(
			{ params: { classId: item.id }, body, ifMatch: etag },
			{ onSuccess: () => show({ text: t("users.changed") }) },
		);
	};
	return (
		<Section title={<T k="classes.rename" />}>
			<Form
				key={item.version}
				label={t("classes.rename")}
				onSubmit={save}
				error={write.error ?? undefined}
			>
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
			{isStale && (
				<Alert tone="info">
					<T k="users.stale" />
				</Alert>
			)}
		</Section>
	);
}

function Suspension({ item }: { item: SchoolClass }) {
	const show = useToast();
	const params = { classId: item.id };
	const suspend = useWrite("post", "/v1/classes/{classId}/suspend", [...CHANGED]);
	const restore = useWrite("post", "/v1/classes/{classId}/restore", [...CHANGED]);
	const isActive = item.status === "active";
	const write = isActive ? suspend : restore;
	const done = () => {
		if (!isActive) return;
		const undo = () => restore.mutateAsync({ params });
		show({ text: t("classes.suspendedNow", { title: item.title }), undo });
	};
	return (
		<Section title={<T k="classes.suspension" />}>
			<p className="hint">
				<T k="classes.suspendHint" />
			</p>
			<Button
				look={isActive ? undefined : "primary"}
				busy={write.isPending}
				onClick={() => write.mutate({ params }, { onSuccess: done })}
			>
				<T k={isActive ? "users.suspend" : "users.restore"} />
			</Button>
			{write.error && <Alert>{errorText(write.error)}</Alert>}
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
	const found = useTagged("/v1/classes/{classId}", { params: { classId: params.id } });
	const name = found.data?.body.title ?? t("nav.classes");
	return (
		<Page
			title={name}
			name={name}
			back={{ href: "/classes", label: "nav.classes" }}
			side={found.data?.body.status === "suspended" && <RestMark />}
		>
			<Async of={found}>
				{({ body: item, etag }) => (
					<>
						<p className="lead">{item.orgName}</p>
						<Enrolled classId={item.id} isActive={item.status === "active"} />
						<Rename item={item} etag={etag} />
						<ClassLabel item={item} />
						<Suspension item={item} />
						<Delete item={item} />
					</>
				)}
			</Async>
		</Page>
	);
}
