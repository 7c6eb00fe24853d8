// Makes workflows that are nearly right: node mutate.js SEED COUNT FOLDER < names-of-workflows
//
// Prints the names of the files it wrote. The same seed gives the same files.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [seed, count, folder] = process.argv.slice(2);
let state = BigInt(seed) * 2862933555777941757n + 3037000493n;

function random(below) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(below));
}
const pick = (list) => list[random(list.length)];

const KEYS = [
  "name", "on", "jobs", "runs-on", "steps", "run", "uses", "with", "env", "if", "needs", "id", "shell",
  "strategy", "matrix", "fail-fast", "max-parallel", "include", "exclude", "timeout-minutes", "container",
  "services", "image", "outputs", "permissions", "concurrency", "group", "environment", "defaults", "secrets",
  "types", "branches", "branches-ignore", "paths", "tags", "cron", "schedule", "inputs", "type", "required",
  "default", "options", "workflow_call", "workflow_dispatch", "push", "pull_request", "release", "wait", "cancel",
  "parallel", "background", "snapshot", "run-name", "credentials", "ports", "url", "deployment", "queue",
];
const VALUES = [
  "", "~", "true", "false", "'true'", "0", "5", "'5'", "-1", "1.50", "0x1F", "x", "''", "[]", "{}", "[a, b]",
  "{a: b}", "[[a]]", "[{a: 1}]", "main", "self", "inherit", "read-all", "write", "none", "read", "choice", "boolean",
  "${{ github.ref }}", "${{ secrets.A }}", "${{ matrix.os }}", "${{ fromJSON('[1]') }}", "${{ env.A }}", "${{ 'a' }}",
  "${{ }}", "${{ github.ref", "a ${{ github.ref }} b", "a ${{ secrets.A }} b", "${{ nope }}", "${{ nope() }}",
  "${{ always() }}", "${{ hashFiles('a') }}", "always()", "success() && failure()", "github.ref == 'a'", "${{ 1 + }}",
  "${{ steps.a.outputs.b }}", "${{ needs.a.result }}", "${{ inputs.a }}", "${{ vars.a }}", "${{ runner.os }}",
  "*alias", "&anchor a", "!tag a", "!!str 5", "!!int 5", "!!bool true", "'0 5 * * *'", "'* * * *'", "'@daily'",
  "actions/checkout@v4", "actions/checkout", "./local", "docker://alpine", "a/b/.github/workflows/c.yml@v1",
  "./.github/workflows/c.yml", "opened", "[opened, nope]", "${{ insert }}", "single", "max", "ubuntu-latest",
];

const indentOf = (line) => line.length - line.trimStart().length;

const MUTATIONS = [
  (lines, at) => lines.splice(at, 1),
  (lines, at) => lines.splice(at, 0, lines[at]),
  (lines, at) => {
    lines[at] = lines[at].replace(/:(\s.*)?$/, () => `: ${pick(VALUES)}`);
  },
  (lines, at) => {
    lines[at] = lines[at].replace(/^(\s*(?:- )?)[\w-]+:/, (_, head) => `${head}${pick(KEYS)}:`);
  },
  (lines, at) => lines.splice(at, 0, `${" ".repeat(indentOf(lines[at]))}${pick(KEYS)}: ${pick(VALUES)}`),
  (lines, at) => {
    lines[at] = lines[at].replace(/^(\s*)- .*$/, (_, head) => `${head}- ${pick(VALUES)}`);
  },
  (lines, at) => {
    lines[at] = random(2) ? ` ${lines[at]}` : lines[at].replace(/^ /, "");
  },
  (lines, at) => {
    lines[at] = lines[at].replace(/\$\{\{.*?\}\}/, () => pick(VALUES.filter((value) => value.includes("${{"))));
  },
];

const files = readFileSync(0, "utf8").split("\n").filter(Boolean);
mkdirSync(folder, { recursive: true });
for (let number = 0; number < Number(count); number++) {
  const lines = readFileSync(pick(files), "utf8").split("\n");
  for (let round = random(3); round >= 0; round--) pick(MUTATIONS)(lines, random(lines.length));
  const name = join(folder, `${seed}-${number}.yml`);
  writeFileSync(name, lines.join("\n"));
  console.log(name);
}
