// The differential test: node --import ./json.js compare.js BINARY SEED COUNT FOLDER
//
// Makes COUNT workflows from the seeds, asks both sides, and fails on a difference that is not one of
// the known ones below.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [binary, seed, count, folder] = process.argv.slice(2);
const ask = (program, args, input) =>
  execFileSync(program, args, { input, encoding: "utf8", maxBuffer: 1 << 30, cwd: here });
const answers = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

// Where we refuse and the parser accepts: GitHub refuses these elsewhere, or they must fail when run.
const OURS = [
  [/\[uses\]/, "the form of `uses` is judged by the service, not by this parser"],
  [/\[yaml\] unexpected tag|does not fit the tag|unknown alias/, "the C# reader refuses what this one lets pass"],
  [/\[matrix\]/, "an empty vector is noticed when the matrix is expanded"],
  [/\[unexpected-value\] Unexpected value '.*\$\{\{/, "text around an expression is never a number or boolean"],
  [/\[step-form\] the step '.*' does not run in the background/, "nothing to wait for"],
  [/\[missing-key\] .*: workflows$/, "`workflow_run` names its workflows (conformance 24)"],
  [/\[filter\]|\[cron\]|\[trigger\]|\[permissions\]/, "checked by the service"],
];
// Where we accept and the parser refuses.
const THEIRS = [
  [/Unexpected type 'BasicExpressionToken'/, "the C# engine takes an expression here (conformance 17)"],
  [/Unexpected value ''$/, "an input of a dispatch without settings is a string (conformance 26)"],
  [/Container image cannot be empty/, "an empty image means no container (conformance 155)"],
];

const seeds = readdirSync(join(here, "seeds")).sort().map((name) => join(here, "seeds", name));
const names = ask(process.execPath, ["mutate.js", seed, count, folder], `${seeds.join("\n")}\n`);
const all = `${seeds.join("\n")}\n${names}`;
const ours = answers(ask(binary, [], all));
const theirs = answers(ask(process.execPath, ["--import", "./json.js", "oracle.js"], all));

const tally = { same: 0, accepted: 0, known: 0, unexplained: 0 };
for (const [at, mine] of ours.entries()) {
  const other = theirs[at];
  if (mine.accepted === other.accepted) {
    tally.same++;
    if (mine.accepted) tally.accepted++;
    continue;
  }
  const [refusal, known] = mine.accepted ? [other.errors, THEIRS] : [mine.errors, OURS];
  if (refusal.some((error) => known.some(([pattern]) => pattern.test(error)))) {
    tally.known++;
    continue;
  }
  tally.unexplained++;
  console.error(`${mine.file}\n  ours:   ${mine.errors.join("\n          ") || "accepted"}`);
  console.error(`  theirs: ${other.errors.join("\n          ") || "accepted"}`);
}
console.log(JSON.stringify(tally));
process.exit(tally.unexplained > 0 || tally.accepted === 0 ? 1 : 0);
