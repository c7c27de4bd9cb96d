/*
 * Whether OpenTelemetry's own definitions of the messages hold all of a request: an ExportLogsServiceRequest in JSON
 * on standard input is made a message, which is written as protobuf and read again. What they do not know, or know
 * as something else, does not come back. Prints how many log records it holds.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
// The last release of the package that has them; later ones only write.
import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js";

const { ExportLogsServiceRequest } = root.opentelemetry.proto.collector.logs.v1;

const request = JSON.parse(readFileSync(0, "utf8"));
const bytes = ExportLogsServiceRequest.encode(ExportLogsServiceRequest.fromObject(request)).finish();
// 64-bit numbers are texts in the JSON mapping, and enums numbers.
const again = ExportLogsServiceRequest.toObject(ExportLogsServiceRequest.decode(bytes), { longs: String });
assert.deepEqual(again, request);
const scopes = request.resourceLogs.flatMap(({ scopeLogs }) => scopeLogs);
console.log(scopes.flatMap(({ logRecords }) => logRecords).length);
