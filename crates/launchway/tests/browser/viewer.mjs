// The log viewer, used: folding, times, links to ranges, copying, following, keys; without a script, too.
//
//   node viewer.mjs MODULES URL TOKEN FAILED RUNNING
//
// FAILED is the page of a job with folded steps and groups, an error in one; RUNNING that of a job that
// prints a line whenever the file named by GO_ON (environment) is written. What is wrong is printed, a
// line each; the end is 1 where anything is.

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import path from "node:path";

const [modules, url, token, failed, running] = process.argv.slice(2);
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
// The same, of what comes in its own time: looked at with every frame until it is there.
const comes = async (page, what, look, wanted) => {
  const until = Date.now() + 20000;
  let got = await look();
  while (JSON.stringify(got) !== JSON.stringify(wanted) && Date.now() < until) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    got = await look();
  }
  same(what, got, wanted);
};

const browser = await chromium.launch({
  executablePath: process.env.LAUNCHWAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const person = async (options) => {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1200, height: 700 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { wrong += 1; console.log(`wrong: ${error.message}`); });
  await page.goto("/sign-in");
  await page.fill("#token", token);
  await Promise.all([page.waitForURL("**/runs"), page.click("form.stack button")]);
  return page;
};
// Rows in words: steps in brackets where they are shut, groups by their titles.
const rows = (page) => page.$$eval("#lines > li", (all) => all.filter((it) => getComputedStyle(it).display !== "none").map((it) => {
  const text = (it.querySelector("b") ?? it.querySelector(".fold") ?? it.lastElementChild).textContent;
  return it.classList.contains("shut") ? `[${text}]` : text;
}));
const FOLDED = ["[Install]", "Test", "[Run]", "Quiet", "case 1", "case 2", "case 3", "Failures", "assert 503 == 200", "why", "Process completed with exit code 1.", "[Upload]"];

const page = await person({ permissions: ["clipboard-read", "clipboard-write"] });
let asked = [];
page.on("request", (request) => { if (request.url().includes("/lines?")) asked.push(decodeURIComponent(request.url().split("/lines?")[1])); });
await page.goto(failed);
same("what failed is open", (await rows(page)).map((it) => it.startsWith("[Run") ? "[Run]" : it), FOLDED);
same("the error is in sight", await page.isVisible(".error") && await page.evaluate(() => { const at = document.querySelector(".error").getBoundingClientRect(); return at.top > 0 && at.bottom < innerHeight; }), true);
same("what is folded was not asked for", asked, []);

// A step is opened, a group in it, and both are shut again.
await page.click("#S1 .fold");
await comes(page, "an open step shows its lines", async () => (await rows(page)).filter((it) => it === "[Collect]" || it === "ready"), ["[Collect]", "ready"]);
await page.click("a.fold:text-is(\"Collect\")");
await page.waitForFunction(() => document.querySelectorAll("#lines > li").length > 60);
same("an open group shows its lines", (await rows(page)).includes("Collecting package 60"), true);
same("each asked for its own", asked.map((it) => it.replace(/&.*/, "")), ["from=1", "from=9"]);
await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
await page.waitForFunction(() => document.querySelector("#lines").textContent.includes("Collecting package 120"));
await page.evaluate(() => window.scrollTo(0, 0));
await page.click("a.fold:text-is(\"Collect\")");
await page.click("#S1 .fold");
await comes(page, "all is as before", async () => (await rows(page)).length, FOLDED.length);

// Times.
await page.click(".clocks a:nth-child(3)");
same("times since the start", /^\d+:\d\d\.\d{3}$/.test(await page.textContent("#lines .error > time")), true);
await page.keyboard.press("t");
same("no times", await page.$$eval("#lines > li > time", (all) => all.length), 0);
await page.keyboard.press("t");
same("times by the clock", /^\d\d:\d\d:\d\d\.\d{3}$/.test(await page.textContent("#lines .error > time")), true);

// A range of lines is an address.
const cases = page.locator("#lines > li", { hasText: /case [123]$/ });
const first = Number((await cases.nth(0).getAttribute("id")).slice(1));
await cases.nth(0).locator("> a").click();
await cases.nth(2).locator("> a").click({ modifiers: ["Shift"] });
const address = new URL(page.url());
same("the address says which", `${address.search}${address.hash}`, `?line=${first}&to=${first + 2}#L${first}`);
await page.reload();
await comes(page, "who follows it sees them", () => page.$$eval(".picked", (all) => all.map((it) => it.lastElementChild.textContent)), ["case 1", "case 2", "case 3"]);

// Copying gives what was printed.
await page.evaluate(() => {
  const [from, to] = [document.querySelector(".picked"), [...document.querySelectorAll(".picked")].at(-1)];
  getSelection().setBaseAndExtent(from, 0, to, to.childNodes.length);
});
await page.keyboard.press("Control+c");
same("what is copied", await page.evaluate(() => navigator.clipboard.readText()), "case 1\ncase 2\ncase 3\n");

// Finding: all on the server, from one to the next by key, what is folded is opened.
await page.keyboard.press("/");
await page.keyboard.type("package 39");
await Promise.all([page.waitForURL("**q=**"), page.keyboard.press("Enter")]);
same("what was found is counted", await page.textContent(".hits p"), "11 lines have that.");
const at = async () => page.$eval(".lines#lines .picked", (it) => it.lastElementChild.textContent).catch(() => "");
await page.evaluate(() => document.activeElement.blur());
await page.keyboard.press("n");
await comes(page, "n", at, "Collecting package 39");
await page.keyboard.press("n");
await comes(page, "n again", at, "Collecting package 390");
await page.keyboard.press("N");
await comes(page, "N", at, "Collecting package 39");
await page.keyboard.press("e");
await comes(page, "e", at, "assert 503 == 200");
await page.keyboard.press("w");
same("w", await page.$eval("#lines", (it) => it.classList.contains("long")), true);
await page.keyboard.press("w");
await page.keyboard.press("?");
same("?", await page.isVisible("#keys"), true);
await page.keyboard.press("Escape");
same("the list of keys goes", await page.isVisible("#keys"), false);

// Following stops when one looks away, and says how much came.
await page.goto(running);
await page.waitForFunction(() => document.querySelector("#lines")?.textContent.includes("line 200"));
const isAtEnd = () => document.documentElement.scrollHeight - innerHeight - scrollY < 5;
await page.waitForFunction(isAtEnd);
await page.mouse.move(700, 400);
await page.mouse.wheel(0, -2500);
await page.waitForFunction(() => document.querySelector(".logkeys button").getAttribute("aria-pressed") === "false");
const before = await page.evaluate(() => scrollY);
writeFileSync(process.env.GO_ON, "");
await page.waitForSelector(".pill");
await page.waitForFunction(() => document.querySelector(".pill").textContent === "50 new lines");
same("nothing jumps", await page.evaluate(() => scrollY), before);
await page.click(".pill");
await page.waitForFunction(isAtEnd);
await comes(page, "the end", async () => (await rows(page)).at(-1), "more 50");
await page.keyboard.press("g");
await page.waitForFunction(() => scrollY === 0);
await page.keyboard.press("G");
await page.waitForFunction(isAtEnd);
await page.keyboard.press("f");
same("f", await page.getAttribute(".logkeys button", "aria-pressed"), "false");
same("the region", await page.$eval("#region", (it) => `${it.getAttribute("role")} ${it.getAttribute("aria-live")}`), "log off");

// Without a script the same links do it.
const plain = await person({ javaScriptEnabled: false });
await plain.goto(failed);
await plain.click("#S1 .fold");
same("a step opens without a script", await plain.locator("a.fold:text-is(\"Collect\")").count(), 1);
await plain.click("a.fold:text-is(\"Collect\")");
same("a group, too", await plain.locator("#lines > li", { hasText: "Collecting package 400" }).count(), 1);
await plain.click("#S1 .fold");
same("and it shuts", await plain.locator("#lines > li", { hasText: "Collecting package 400" }).count(), 0);
await plain.click(".clocks a:nth-child(2)");
same("times", await plain.locator("#lines > li > time").count() > 3, true);
await browser.close();
console.log(`${checks} checks, ${wrong} wrong, ${((Date.now() - began) / 1000).toFixed(1)} s`);
process.exit(wrong ? 1 : 0);
