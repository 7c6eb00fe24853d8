// docs/differences.md as the comparison checks it: names of the differences, and their examples.

import { readFileSync } from "node:fs";

// Where a piece stands in a workflow that is otherwise in order.
const PLACES = {
  on: (piece) => `on: ${piece}\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n`,
  call: (piece) => `on: push\njobs:\n  a:\n    ${piece}\n`,
  job: (piece) => `on: push\njobs:\n  a:\n    runs-on: x\n    ${piece}\n    steps: [{run: x}]\n`,
  step: (piece) => `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {${piece}}\n`,
};

// [{ id, examples: [{ piece, workflow, words }] }], in the document's order.
export function differences(path) {
  const [, part] = readFileSync(path, "utf8").split("\n## Workflows\n");
  const found = [];
  for (const line of part.split("\n")) {
    const heading = line.match(/^### \d+\. (.+)$/);
    if (heading) found.push({ id: heading[1], examples: [] });
    const row = line.match(/^\| (\w+) \| `(.+)` \| (.+) \|$/);
    if (!row) continue;
    const [, place, piece, words] = row;
    if (!PLACES[place]) throw new Error(`${path}: there is no place ${place}`);
    found.at(-1).examples.push({ piece, workflow: PLACES[place](piece), words });
  }
  return found;
}
