// A page that follows what happens, while somebody looks at it: what they opened, wrote and reached stays theirs. And
// what cannot be taken back asks first, by whatever way it is done.
//
//   node live.mjs MODULES URL TOKEN RUN
//
// RUN is the page of a run whose job `late` writes a summary, above that of `early`, when the file named by GO_ON
// (environment) is written, and which goes on until somebody ends it. What is wrong is printed, a line each; the end
// is 1 where anything is.

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import path from "node:path";

const [modules, url, token, run] = process.argv.slice(2);
const require = createRequire(path.join(modules, "node_modules", "x"));
const { chromium } = require("playwright-core");
const began = Date.now();
let [checks, wrong] = [0, 0];
const same = (what, got, wanted) => {
  checks += 1;
  if (JSON.stringify(got) === JSON.stringify(wanted)) return;
  wrong += 1;
  console.log(`wrong: ${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
};

const browser = await chromium.launch({
  executablePath: process.env.LAUNCHWAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const person = async (options) => {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1200, height: 500 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { wrong += 1; console.log(`wrong: ${error.message}`); });
  await page.goto("/sign-in");
  await page.fill("#token", token);
  await Promise.all([page.waitForURL("**/runs"), page.click("form.stack button")]);
  return page;
};

// What came before somebody did something to it, and what comes then: what stands there in the end.
const page = await person({});
const merged = (before, did, after) => page.evaluate(async ([before, did, after]) => {
  const src = document.querySelector("script[src*='live.js']").src.replace("live.js", "merge.js");
  const { merge } = await import(src);
  const [place, came] = [document.createElement("div"), document.createElement("div")];
  [place.innerHTML, came.innerHTML] = [before, after];
  document.getElementById("main").replaceChildren(place);
  if (did) new Function("place", did)(place);
  const nodes = new Map([...place.querySelectorAll("*")].map((it) => [it, true]));
  const focused = document.activeElement;
  merge(place, came);
  if (focused.isConnected) focused.focus();
  const [html, here] = [place.innerHTML, document.activeElement];
  const made = [...place.querySelectorAll("*")].filter((it) => !nodes.has(it)).length;
  return [html, made, here === document.body ? "" : here.matches("select") ? here.value : here.textContent || here.value];
}, [before, did, after]);
const check = async (what, before, did, after, html, made, focus = "") => same(what, await merged(before, did, after), [html ?? after, made, focus]);
await check("nothing", "<p>a</p>", "", "<p>a</p>", null, 0);
await check("words", "<p class=x>a</p>", "", "<p title=y>b</p>", '<p title="y">b</p>', 0);
await check("an opened one stays open behind a new one",
  "<details><summary>A</summary>a</details>", "place.querySelector('details').open = true; place.querySelector('summary').focus()",
  "<details><summary>B</summary>b</details><details><summary>A</summary>a2</details>",
  '<details><summary>B</summary>b</details><details open=""><summary>A</summary>a2</details>', 2, "A");
await check("one that was shut stays shut",
  "<details open data-about=x><summary>A</summary></details>", "place.querySelector('details').open = false",
  '<details open data-about="x"><summary>A more</summary></details>', '<details data-about="x"><summary>A more</summary></details>', 0);
await check("rows by what they lead to",
  "<ol><li><b>1</b><a href=/a>A</a></li><li><a href=/b>B</a></li></ol>", "place.querySelectorAll('a')[1].focus()",
  '<ol><li><a href="/c">C</a></li><li><a href="/b">B2</a></li></ol>', null, 2, "B2");
await check("rows in another order",
  "<ul><li id=a>a</li><li id=b tabindex=0>b</li></ul>", "place.querySelector('#b').focus()",
  '<ul><li id="b" tabindex="0">b</li><li id="a">a</li></ul>', null, 0, "b");
await check("what somebody writes",
  "<form><input name=reason><button>Go</button></form>", "const it = place.querySelector('input'); it.value = 'because'; it.focus()",
  '<p>new</p><form><input name="reason" maxlength="9"><button>Go on</button></form>', null, 1, "because");
await check("what somebody chose, among more",
  "<select name=where><option>staging</option><option>test</option></select>",
  "const it = place.querySelector('select'); it.value = 'test'; it.focus()",
  '<select name="where"><option value="">Choose</option><option>Production</option><option>staging</option><option>test</option></select>', null, 2, "test");
await check("what is the only choice, before there is another",
  "<select name=where><option>staging</option></select>", "place.querySelector('select').focus()",
  '<select name="where"><option value="">Choose</option><option>Production</option><option>staging</option></select>', null, 2, "staging");
await check("what somebody chose and is no more",
  "<select name=where><option>staging</option></select>", "place.querySelector('select').focus()",
  '<select name="where"><option value="">Choose</option><option>Production</option><option>test</option></select>', null, 3, "");
await check("a form that does something else is another",
  "<form action=/cancel><input name=id><button>Go</button></form>", "place.querySelector('button').focus()",
  '<form action="/again"><input name="id"><button>Go</button></form>', null, 3);

// The page of a run, with the real thing behind it.
await page.goto(run);
const early = page.locator("details", { hasText: "Labels of early" });
await early.waitFor();
await early.locator("summary").click();
await early.locator("summary").focus();
await early.locator("summary").evaluate((it) => it.scrollIntoView({ block: "center" }));
const stands = () => early.locator("summary").evaluate((it) => [it.parentElement.open, document.activeElement === it, it.getBoundingClientRect().top]);
const before = await stands();
writeFileSync(process.env.GO_ON, "");
await page.locator("summary", { hasText: "Labels of late" }).waitFor();
const [isOpen, hasFocus, top] = await stands();
// To the pixel that a browser scrolls by.
same("it is open, has the focus, and stands where it stood", [isOpen, hasFocus, Math.abs(top - before[2]) <= 1], [true, true, true]);
const all = await page.$$eval("section.summary details", (all) => all.map((it) => [it.querySelector("summary").textContent, it.open]));
same("the new one stands before it", all, [["Labels of late", false], ["Labels of early", true]]);

// By a click, too.
const answer = async (text, why = "") => {
  await page.click("button:text-is('Cancel')");
  same("it asks", await page.textContent("dialog h2"), "End this run? It cannot go on afterwards.");
  await page.fill("dialog .why", why);
  await page.click(`dialog button:text-is("${text}")`);
};
await answer("No");
await page.waitForSelector("dialog", { state: "detached" });
same("no is no", new URL(page.url()).search, "");
same("why is asked where it is ended", await page.locator("form[action$='/cancel'] .why").isVisible(), false);
await answer("End it", "it was only to be looked at");
await page.waitForURL("**said=cancel");
same("it was told", await page.textContent("[role=status]"), "The run was told to stop.");
await page.waitForSelector("button:text-is('Re-run all')");

// Without a script nothing asks, and the deed is done.
const plain = await person({ javaScriptEnabled: false });
await plain.goto(run);
await plain.fill("form[action$='/rerun'] .why", "nobody looked");
await Promise.all([plain.waitForURL("**/runs/1.2"), plain.click("button:text-is('Re-run all')")]);
await browser.close();
console.log(`${checks} checks, ${wrong} wrong, ${((Date.now() - began) / 1000).toFixed(1)} s`);
process.exit(wrong ? 1 : 0);
