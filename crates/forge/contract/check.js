// Our calls, and what the model of GitHub says, against GitHub's own schemas from npm.
// node check.js PROGRAM: the program is the example `contract` of the crate forge.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const Ajv = require("ajv");
const formats = require("ajv-formats");
const api = JSON.parse(readFileSync(require.resolve("@octokit/openapi/generated/api.github.com.json")));
const webhooks = JSON.parse(readFileSync(require.resolve("@octokit/webhooks-schemas/schema.json")));
const examples = require.resolve("@octokit/webhooks-examples/api.github.com/index.json");

// OpenAPI 3.0 says "nullable" where JSON Schema has a type more.
function plain(schema) {
  if (Array.isArray(schema)) return schema.map(plain);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key !== "nullable" && key !== "example" && key !== "examples") copy[key] = plain(value);
  }
  if (schema.nullable === true) {
    if (typeof copy.type === "string") copy.type = [copy.type, "null"];
    if (Array.isArray(copy.enum)) copy.enum = [...copy.enum, null];
    if (!copy.type) return { anyOf: [copy, { type: "null" }] };
  }
  return copy;
}

const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
ajv.addFormat("timestamp", true);
ajv.addSchema({ $id: "api", components: plain(api.components) });
// One has the keyword tsAdditionalProperties for programs that write types.
const ajvWebhooks = new Ajv({ strict: false, allErrors: true });
formats(ajvWebhooks);
ajvWebhooks.addSchema({ ...webhooks, $id: "webhooks" });

const rewritten = (schema) =>
  JSON.parse(JSON.stringify(plain(schema)).replaceAll('"#/components/', '"api#/components/'));

// The operation of a call, by its path.
function operation(method, path) {
  const parts = path.split("?")[0].split("/").slice(1);
  for (const [template, methods] of Object.entries(api.paths)) {
    const names = template.split("/").slice(1);
    if (names.length !== parts.length || !methods[method.toLowerCase()]) continue;
    const fits = names.every((name, at) => name.startsWith("{") || name === parts[at]);
    if (fits) return methods[method.toLowerCase()];
  }
  return undefined;
}

let failed = 0;
let checked = 0;
function check(what, validator, value) {
  checked += 1;
  if (validator(value)) return;
  failed += 1;
  console.log(`${what}:`);
  for (const error of validator.errors.slice(0, 12)) {
    console.log(`  ${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`);
  }
}

const media = (content) => content?.["application/json"]?.schema;
let output;
try {
  output = execFileSync(process.argv[2], [examples], { maxBuffer: 1 << 28 }).toString();
} catch (error) {
  output = error.stdout.toString();
  failed += 1;
}
for (const line of output.trim().split("\n").map((it) => JSON.parse(it))) {
  if (line.call) {
    const { method, path, body, status, answer } = line.call;
    const found = operation(method, path);
    const what = `${method} ${path}`;
    if (!found) {
      failed += 1;
      console.log(`${what}: GitHub has no such call`);
      continue;
    }
    const wanted = media(found.requestBody?.content);
    if (wanted) check(`${what} (what we send)`, ajv.compile(rewritten(wanted)), body ?? {});
    const response = found.responses[String(status)];
    if (!response) {
      failed += 1;
      console.log(`${what}: GitHub does not answer ${status}`);
      continue;
    }
    let said = response;
    if (said.$ref) said = api.components.responses[said.$ref.split("/").pop()];
    const schema = media(said.content);
    if (schema) check(`${what} (what the model says)`, ajv.compile(rewritten(schema)), answer);
    for (const name of new URLSearchParams(path.split("?")[1] ?? "").keys()) {
      const known = (found.parameters ?? []).map((it) =>
        it.$ref ? api.components.parameters[it.$ref.split("/").pop()].name : it.name);
      if (!known.includes(name)) {
        failed += 1;
        console.log(`${what}: GitHub does not know the parameter ${name}`);
      }
    }
  } else if (line.webhook) {
    const { event, body } = line.webhook;
    const name = body.action ? `${event}$${body.action}` : `${event}$event`;
    const schema = { $ref: `webhooks#/definitions/${name}` };
    check(`webhook ${name} (what the model says)`, ajvWebhooks.compile(schema), body);
  } else if (line.examples) {
    console.log(`${line.examples} examples of GitHub's webhooks, ${line.misread} misread`);
  } else {
    console.log(`misread: ${JSON.stringify(line).slice(0, 600)}`);
  }
}
console.log(`${checked} shapes checked, ${failed} failures`);
process.exit(failed === 0 ? 0 : 1);
