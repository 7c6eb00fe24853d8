import assert from "node:assert/strict";
import { test } from "node:test";

import { progress } from "./progress";

test("progress counts what is done", () => {
  const tasks = [
    { name: "build", done: true },
    { name: "ship", done: false },
  ];
  assert.equal(progress(tasks), "1 of 2 done");
});

test("an empty list is said in words", () => {
  assert.equal(progress([]), "nothing to do");
});
