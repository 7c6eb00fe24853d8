// What GitHub's own parser says of each workflow: the other side of the differential test.
//
// Reads names of files, one a line, and writes a line of JSON for each: {file, accepted, errors}.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { FeatureFlags } from "@actions/expressions/features";
import { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow } from "@actions/workflow-parser";
import { TemplateContext, TemplateValidationErrors } from "@actions/workflow-parser/templates/template-context";
import { getWorkflowSchema } from "@actions/workflow-parser/workflows/workflow-schema";

// What is announced on GitHub is still behind a flag here.
const featureFlags = new FeatureFlags({ all: true });

async function verdict(file) {
  const content = readFileSync(file, "utf8");
  try {
    const trace = new NoOperationTraceWriter();
    const context = new TemplateContext(new TemplateValidationErrors(), getWorkflowSchema(), trace);
    context.state.featureFlags = featureFlags;
    const result = parseWorkflow({ name: file, content }, context);
    let errors = result.context.errors.getErrors().map((error) => error.message);
    if (errors.length === 0 && result.value) {
      const template = await convertWorkflowTemplate(result.context, result.value, undefined, {
        errorPolicy: 0,
        fetchReusableWorkflowDepth: 0,
        featureFlags,
      });
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
