// A browser looks at every page of a server: both themes, three widths, without a script, by keyboard.
//
//   node tour.mjs MODULES URL TOKEN PLAN
//
// MODULES is a folder with playwright-core and axe-core, PLAN a file: {"pages": [{"name", "path"}],
// "pictures": FOLDER or null, "wanted": [names] or null}. What is wrong is printed, a line each; the
// end is 1 where anything is.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const [modules, url, token, plan] = process.argv.slice(2);
const require = createRequire(path.join(modules, "node_modules", "x"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { pages, pictures, wanted } = JSON.parse(readFileSync(plan, "utf8"));
const WIDTHS = [390, 820, 1440];
const TABS = 9;
const STREAMS = 4; // as stream.js has it
const began = Date.now();
let wrong = 0;
const say = (line) => { wrong += 1; console.log(`wrong: ${line}`); };

const browser = await chromium.launch({
  executablePath: process.env.LAUNCHWAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
});

// A browser as a person has it: signed in by the form.
const person = async (options) => {
  const context = await browser.newContext({ baseURL: url, reducedMotion: "reduce", bypassCSP: true, ...options });
  const page = await context.newPage();
  await page.goto("/sign-in");
  await page.fill("#token", token);
  await Promise.all([page.waitForURL("**/runs"), page.click("form.stack button")]);
  return { context, page };
};

const watch = (page, where) => {
  page.on("console", (message) => { if (message.type() === "error") say(`${where()}: console: ${message.text()}`); });
  page.on("pageerror", (error) => say(`${where()}: ${error.message}`));
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(`${url}/`) && !to.startsWith("data:")) say(`${where()}: asks another origin: ${to}`);
  });
};

let looked = 0;
for (const theme of ["light", "dark"]) {
  const { context, page } = await person({ colorScheme: theme });
  let here = "";
  watch(page, () => `${here} (${theme})`);
  for (const { name, path: at } of pages) {
    here = name;
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      if (width === WIDTHS[0]) {
        const answer = await page.goto(at, { waitUntil: "load" });
        if (answer.status() !== 200) { say(`${name}: status ${answer.status()}`); break; }
      }
      looked += 1;
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) say(`${name} at ${width} (${theme}): ${over} px too wide`);
      // A table may scroll by itself on a narrow screen only where it compares columns.
      const inside = await page.$$eval(".wide:not(.compares), .scroll:not(.compares)", (all) => Math.max(0, ...all.map((it) => it.scrollWidth - it.clientWidth)));
      if (inside > 0) say(`${name} at ${width} (${theme}): a table is ${inside} px too wide`);
      // Colours are the theme's, whatever the width; what stands where is the width's.
      if (width === 1440 || (width === 390 && theme === "light")) {
        await page.evaluate(axe);
        const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        for (const it of found.violations.filter((it) => ["serious", "critical"].includes(it.impact))) {
          say(`${name} at ${width} (${theme}): axe ${it.id}: ${it.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`);
        }
      }
      if (pictures && (!wanted || (wanted.includes(name) && width === 1440))) {
        const file = wanted ? `${name}-${theme}.png` : `${name}-${width}-${theme}.png`;
        await page.screenshot({ path: path.join(pictures, file), fullPage: !wanted });
      }
    }
  }
  // By keyboard alone: what has the focus is seen, and the first thing leads to the content.
  for (const { name, path: at } of pages) {
    here = name;
    if (theme === "dark") break;
    await page.goto(at);
    await page.evaluate(() => { document.activeElement?.blur(); window.scrollTo(0, 0); });
    for (let step = 0; step < 12; step++) {
      await page.keyboard.press("Tab");
      const seen = await page.evaluate(() => {
        const it = document.activeElement;
        if (!it || it === document.body) return null;
        const style = getComputedStyle(it);
        return { html: it.outerHTML.slice(0, 120), isSeen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, text: it.textContent };
      });
      if (!seen) break;
      if (step === 0 && at !== "/sign-in" && seen.text !== "Skip to content") say(`${name}: the first stop is ${seen.html}`);
      if (!seen.isSeen) say(`${name}: nothing shows that the focus is on ${seen.html}`);
    }
  }
  await context.close();
}

// Tabs of one browser share six connections to a server: however many stand open, another page comes, and is told
// what happens where one of the others is left.
{
  const { context } = await person({});
  const tabs = [];
  for (let number = 0; number < TABS; number += 1) {
    const tab = await context.newPage();
    const answer = await tab.goto("/runs", { waitUntil: "load", timeout: 10000 }).catch(() => null);
    if (!answer) say(`the page of runs did not come in tab ${number + 1}`);
    tabs.push(tab);
  }
  const streams = async (count, what) => {
    const are = async (count) => (await navigator.locks.query()).held.length === count;
    await tabs[0].waitForFunction(are, count, { timeout: 20000 }).catch(() => say(`of ${TABS} tabs, ${what}`));
  };
  await streams(STREAMS, `not ${STREAMS} have a stream`);
  // Nobody sees them any more.
  for (const tab of tabs) {
    await tab.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
  }
  await streams(0, "some that nobody sees have a stream");
  await tabs[0].evaluate(() => {
    Object.defineProperty(document, "hidden", { value: false, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await streams(1, "one that is seen again has no stream");
  await context.close();
}

// The same without a script: everything is there, and says so.
const { context, page } = await person({ javaScriptEnabled: false });
for (const { name, path: at } of pages) {
  const answer = await page.goto(at);
  looked += 1;
  if (answer.status() !== 200) say(`${name} without script: status ${answer.status()}`);
  if (await page.locator("h1").count() !== 1) say(`${name} without script: not one heading`);
}
await context.close();
await browser.close();
console.log(`${pages.length} pages, ${looked} looks, ${wrong} wrong, ${((Date.now() - began) / 1000).toFixed(1)} s`);
process.exit(wrong === 0 ? 0 : 1);
