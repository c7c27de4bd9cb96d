/* Names for the shapes of the API, all of them taken from the generated schema. */
import type { Paths } from "./schema";

export type Method = "get" | "post" | "put" | "patch" | "delete";

export type PathWith<M extends Method> = {
	[P in keyof Paths]: M extends keyof Paths[P] ? P : never;
}[keyof Paths];

type Part<M extends Method, P extends keyof Paths, K extends string> =
	Paths[P][M & keyof Paths[P]] extends Record<K, infer T> ? T : never;

/** What a successful answer holds; `undefined` when it has no JSON body. */
export type Answer<M extends Method, P extends keyof Paths> = Part<M, P, "answer">;
export type Body<M extends Method, P extends keyof Paths> = Part<M, P, "body">;
export type Params<M extends Method, P extends keyof Paths> = Part<M, P, "params">;
export type Query<M extends Method, P extends keyof Paths> = Part<M, P, "query">;

/** What a list holds. */
export type Item<P extends PathWith<"get">> =
	Answer<"get", P> extends { items: (infer T)[] } ? T : never;

/** The login name comes from elsewhere, and is empty while nobody can tell it. */
export type Self = Answer<"get", "/v1/session"> & { username: string };
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
export type Export = Answer<"get", "/v1/exports">["items"][number];
export type Import = Answer<"get", "/v1/imports/{importId}">;
export type ImportState = Answer<"get", "/v1/imports">["items"][number];
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
export type LoweringReason = NonNullable<Body<"put", "/v1/tries/{tryId}/label">["reason"]>;
export type Notice = Answer<"get", "/v1/notices">["items"][number];
export type Announcement = Answer<"get", "/v1/announcements">["items"][number];
export type Audience = Announcement["audience"];
export type Anomaly = Answer<"get", "/v1/audit/anomalies">["items"][number];
export type LogGap = Answer<"get", "/v1/audit/completeness">["items"][number];
export type Keys = Answer<"get", "/v1/keys">;
export type Algorithm = Answer<"get", "/v1/algorithms">["items"][number];
export type AuditEvent = Answer<"get", "/v1/audit/events">["items"][number];

/** The first screen: one member per service, null where it did not answer in time. */
export type Home = Answer<"get", "/v1/home">;
