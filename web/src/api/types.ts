/* Names for the shapes of the API, all of them taken from the generated schema. */
import type { paths } from "./schema";

export type Method = "get" | "post" | "put" | "patch" | "delete";

type Operations = { [P in keyof paths]: paths[P] };

export type PathWith<M extends Method> = {
	[P in keyof Operations]: Operations[P][M & keyof Operations[P]] extends { responses: unknown }
		? P
		: never;
}[keyof Operations];

type Operation<M extends Method, P extends keyof paths> = paths[P][M & keyof paths[P]];

type JsonOf<R> = R extends { content: { "application/json": infer T } } ? T : undefined;

/** What a successful answer holds; `undefined` when it has no JSON body. */
export type Answer<M extends Method, P extends keyof paths> =
	Operation<M, P> extends {
		responses: infer R;
	}
		? JsonOf<R[keyof R & (200 | 201)]>
		: never;

export type Body<M extends Method, P extends keyof paths> =
	Operation<M, P> extends {
		requestBody?: { content: { "application/json": infer T } };
	}
		? T
		: undefined;

export type Params<M extends Method, P extends keyof paths> =
	Operation<M, P> extends {
		parameters: { path: infer T };
	}
		? T
		: Record<string, never>;

export type Query<M extends Method, P extends keyof paths> =
	Operation<M, P> extends {
		parameters: { query?: infer T };
	}
		? T
		: Record<string, never>;

export type Self = Answer<"get", "/v1/session">;
export type Role = Self["role"];
export type Feature = Self["features"][number];
export type Session = Answer<"get", "/v1/sessions">["items"][number];
export type Contract = Answer<"get", "/v1/contracts">["items"][number];
export type Org = Answer<"get", "/v1/orgs">["items"][number];
export type User = Answer<"get", "/v1/users/{userId}">;
export type Grade = NonNullable<User["grade"]>;
export type SchoolClass = Answer<"get", "/v1/classes">["items"][number];
export type Enrollment = Answer<"get", "/v1/classes/{classId}/enrollments">["items"][number];
export type ImportResult = Answer<"post", "/v1/imports/users">;
export type IssuedSecret = ImportResult["secrets"][number];
export type Skill = Answer<"get", "/v1/skills">["items"][number];
export type Area = Skill["area"];
export type Unit = Answer<"get", "/v1/units">["items"][number];
export type UnitDetail = Answer<"get", "/v1/units/{unitId}">;
export type UnitSkill = UnitDetail["skills"][number];
export type Assignment = Answer<"get", "/v1/assignments/{assignmentId}">;
export type Goal = Answer<"get", "/v1/assignments/{assignmentId}/goal">;
export type BoardRow = Answer<"get", "/v1/assignments/{assignmentId}/board">["items"][number];
export type BoardState = BoardRow["state"];
export type TryDetail = Answer<"get", "/v1/tries/{tryId}">;
export type Try = TryDetail["try"];
export type Comment = Answer<"get", "/v1/tries/{tryId}/comments">["items"][number];
export type Evaluation = Answer<"put", "/v1/tries/{tryId}/evaluation">;
export type Grading = Evaluation["knowledgeAndSkills"];
export type Reflection = Answer<"put", "/v1/tries/{tryId}/reflection">;
export type Notice = Answer<"get", "/v1/notices">["items"][number];
export type Announcement = Answer<"get", "/v1/announcements">["items"][number];
export type Audience = Announcement["audience"];
export type AuditEvent = Answer<"get", "/v1/audit/events">["items"][number];

/** The first screen: one member per service, null where it did not answer in time. */
export type Home = Answer<"get", "/v1/home">;
