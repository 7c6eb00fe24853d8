// The log viewer on a log of a million lines, in figures: first paint, the longest task while somebody
// scrolls, a search of all hits, memory of the tab.
//
//   node log.mjs MODULES URL TOKEN PATH

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const [modules, url, token, at] = process.argv.slice(2);
const require = createRequire(path.join(modules, "node_modules", "x"));
const { chromium } = require("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.LAUNCHWAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const context = await browser.newContext({ baseURL: url, viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
await page.goto("/sign-in");
await page.fill("#token", token);
await Promise.all([page.waitForURL("**/runs"), page.click("form.stack button")]);

await page.addInitScript(() => {
  window.tasks = [];
  new PerformanceObserver((list) => { for (const it of list.getEntries()) window.tasks.push(it.duration); })
    .observe({ type: "longtask", buffered: true });
});
const opened = async (to) => {
  await page.goto(to, { waitUntil: "load" });
  return page.evaluate(async () => {
    const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
    while (!paint()) await new Promise((done) => requestAnimationFrame(done));
    return paint();
  });
};
// Nobody looked at this log before: the server reads all of it once.
const paint = await opened(at);
const extent = await page.textContent("#extent");
const middle = await opened(`${at}?line=500000#L500000`);
const last = await opened(`${at}?tail=1`);
await opened(at);

// Down, then up again, as fast as a wheel goes; the first moment belongs to the load.
await page.evaluate(() => { window.tasks.length = 0; });
await page.mouse.move(900, 500);
const scroll = async (steps, by) => {
  for (let step = 0; step < steps; step++) {
    await page.mouse.wheel(0, by);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  }
};
await scroll(300, 600);
const reached = await page.textContent("#extent");
await scroll(300, -600);
const tasks = await page.evaluate(() => window.tasks);
const nodes = await page.evaluate(() => document.getElementById("lines").children.length);
const client = await context.newCDPSession(page);
await client.send("HeapProfiler.collectGarbage");
const { usedSize } = await client.send("Runtime.getHeapUsage");
// What the process of the tab holds for itself, in all.
const system = await browser.newBrowserCDPSession();
const { processInfo } = await system.send("SystemInfo.getProcessInfo");
const held = processInfo.filter((it) => it.type === "renderer").map((it) => {
  const said = readFileSync(`/proc/${it.id}/status`, "utf8").match(/RssAnon:\s+(\d+) kB/);
  return Number(said?.[1] ?? 0) / 1000;
});

const began = Date.now();
await page.fill("#q", "99999");
await Promise.all([page.waitForURL("**q=**"), page.press("#q", "Enter")]);
const hits = await page.textContent(".hits p");
const searched = Date.now() - began;
const longest = tasks.length === 0 ? "under 50" : Math.max(...tasks).toFixed(0);
console.log(`${extent}; first paint ${paint.toFixed(0)} ms, of the middle ${middle.toFixed(0)} ms, of the end ${last.toFixed(0)} ms; scrolled to ${reached}; longest task ${longest} ms (${tasks.length} over 50 ms); ${nodes} rows in the page; heap ${(usedSize / 1e6).toFixed(1)} MB, the tab's process ${Math.max(...held).toFixed(0)} MB; search ${searched} ms: ${hits}`);
await browser.close();
