// The differential test: node --import ./json.js compare.js BINARY DOCUMENT SEED COUNT FOLDER
//
// Makes COUNT workflows from the seeds, asks both sides, and fails on a difference that DOCUMENT
// (docs/differences.md) does not explain, and on an example there that no longer differs as it says.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { differences } from "./document.js";

const here = dirname(fileURLToPath(import.meta.url));
const [binary, document, seed, count, folder] = process.argv.slice(2);
const ask = (program, args, input) =>
  execFileSync(program, args, { input, encoding: "utf8", maxBuffer: 1 << 30, cwd: here });
const answers = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

// How each difference of the document shows: what the one who refuses says of it.
const OURS = {
  "refused-later": [
    /\[uses\]/,
    /\[matrix\] Matrix vector '.*' does not contain any values/,
    /\[unexpected-value\] Unexpected value '.*\$\{\{/,
    /\[unexpected-value\] Unexpected value 'x'/,
    /\[missing-key\] .*: workflows$/,
    /\[filter\]/,
    /\[trigger\] the default '.*' is not one of the options/,
    /\[container\] an image is missing/,
  ],
  yaml: [/\[yaml\] (unexpected tag|'.*' does not fit the tag|the number .* does not fit 32 bits)/],
};
const THEIRS = {
  converter: [/Unexpected type 'BasicExpressionToken'/, /Unexpected value ''$/],
};

// Asks both sides about files.
function verdicts(names) {
  const list = `${names.join("\n")}\n`;
  const ours = answers(ask(binary, [], list));
  const theirs = answers(ask(process.execPath, ["--import", "./json.js", "oracle.js"], list));
  return ours.map((mine, at) => ({ mine, other: theirs[at] }));
}

// The name of the difference; nothing where both say the same, "unexplained" where none fits.
function explain({ mine, other }) {
  if (mine.accepted === other.accepted) return undefined;
  const [errors, known] = mine.accepted ? [other.errors, THEIRS] : [mine.errors, OURS];
  const fits = ([, patterns]) => errors.some((it) => patterns.some((pattern) => pattern.test(it)));
  return Object.entries(known).find(fits)?.[0] ?? "unexplained";
}

function show({ mine, other }) {
  console.error(`${mine.file}\n  ours:   ${mine.errors.join("\n          ") || "accepted"}`);
  console.error(`  theirs: ${other.errors.join("\n          ") || "accepted"}`);
}

// How many examples of the document do not hold.
function wrongExamples(explained) {
  const examples = explained.flatMap(({ id, examples }) => examples.map((it) => ({ id, ...it })));
  const names = examples.map(({ workflow }, at) => {
    const name = join(folder, `example-${at}.yml`);
    writeFileSync(name, workflow);
    return name;
  });
  return verdicts(names).filter((pair, at) => {
    const { id, words } = examples[at];
    const refusal = pair.mine.accepted ? pair.other.errors : pair.mine.errors;
    const holds = explain(pair) === id && refusal.some((error) => error.includes(words));
    if (!holds) console.error(`wrong in the document, ${id}: ${examples[at].piece}`);
    if (!holds) show(pair);
    return !holds;
  }).length;
}

mkdirSync(folder, { recursive: true });
const explained = differences(document);
const names = explained.map(({ id }) => id);
const known = [...Object.keys(OURS), ...Object.keys(THEIRS)];
if (names.join() !== known.join()) {
  throw new Error(`the document explains ${names.join(", ")}; known are ${known.join(", ")}`);
}
const tally = { same: 0, accepted: 0, unexplained: 0, wrong: wrongExamples(explained) };
for (const id of known) tally[id] = 0;
const seeds = readdirSync(join(here, "seeds")).sort().map((name) => join(here, "seeds", name));
const mutants = ask(process.execPath, ["mutate.js", seed, count, folder], `${seeds.join("\n")}\n`);
for (const pair of verdicts([...seeds, ...mutants.split("\n").filter(Boolean)])) {
  const id = explain(pair);
  tally[id ?? "same"]++;
  if (!id && pair.mine.accepted) tally.accepted++;
  if (id === "unexplained") show(pair);
}
console.log(JSON.stringify(tally));
process.exit(tally.unexplained + tally.wrong > 0 || tally.accepted === 0 ? 1 : 0);
