// What GitHub's own parser says of each workflow: the other side of the differential test.
//
// Reads names of files, one a line, and writes a line of JSON for each: {file, accepted, errors}.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow } from "@actions/workflow-parser";

async function verdict(file) {
  const content = readFileSync(file, "utf8");
  try {
    const result = parseWorkflow({ name: file, content }, new NoOperationTraceWriter());
    let errors = result.context.errors.getErrors().map((error) => error.message);
    if (errors.length === 0 && result.value) {
      const template = await convertWorkflowTemplate(result.context, result.value);
      errors = (template.errors ?? []).map((error) => error.Message);
    }
    return { file, accepted: errors.length === 0, errors };
  } catch (error) {
    return { file, accepted: false, errors: [`thrown: ${error.message}`] };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await verdict(line)));
}
