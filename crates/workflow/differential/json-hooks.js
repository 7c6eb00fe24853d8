// The parser's package imports JSON in a way that only bundlers take; this lets Node take it too.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export async function load(url, context, nextLoad) {
  if (!url.endsWith(".json")) return nextLoad(url, context);
  const source = await readFile(fileURLToPath(url), "utf8");
  return { format: "module", source: `export default ${source}`, shortCircuit: true };
}
