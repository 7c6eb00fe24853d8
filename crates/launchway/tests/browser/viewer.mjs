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
// What a key does that means nothing here is not listed: nobody follows what is over, and the run goes on.
const listed = () => page.$$eval("dialog dt", (all) => all.map((it) => it.textContent.trim()));
await page.keyboard.press("?");
same("?", await listed(), ["j k", "[ ]", "g G", "/", "n N", "e", "w", "t", "c", "h", "l", "A", "Ctrl-K", "?"]);
await page.keyboard.press("e");
await page.keyboard.press("Escape");
await comes(page, "the list of keys goes", () => page.locator("dialog").count(), 0);
same("none means anything below it", await at(), "assert 503 == 200");

// Row by row, step by step.
const focused = () => page.evaluate(() => { const row = document.activeElement.closest("#lines > li"); return row && (row.querySelector("b") ?? row.querySelector(".fold") ?? row.lastElementChild).textContent; });
await page.evaluate(() => document.querySelector("#lines .error > a").focus());
await page.keyboard.press("j");
same("j", await focused(), "why");
await page.keyboard.press("k");
await page.keyboard.press("k");
same("k", await focused(), "Failures");
await page.keyboard.press("[");
same("[", await focused(), "Test");
await page.keyboard.press("[");
same("[ again", await focused(), "Install");
await page.keyboard.press("]");
await page.keyboard.press("]");
same("]", await focused(), "Upload");
await page.keyboard.press("Enter");
await comes(page, "Enter opens", async () => (await rows(page)).at(-1), "done");

// Typing is typing.
await page.focus("#q");
await page.keyboard.type("?gRA");
same("keys are letters there", [await page.inputValue("#q"), await page.locator("dialog").count()], ["?gRApackage 39", 0]);
await page.keyboard.press("Escape");
await page.hover("#lines");
await page.keyboard.press("Control+f");
same("Ctrl-F", await page.evaluate(() => document.activeElement.id), "q");
await page.keyboard.press("Escape");

// Lines as a quotation.
await page.click("#lines .error > a");
await page.keyboard.press("c");
same("c", (await page.evaluate(() => navigator.clipboard.readText())).split("\n")[0], "> assert 503 == 200");

// Anywhere by name.
await page.keyboard.press("Control+k");
await page.keyboard.type("upl");
same("Ctrl-K", await page.$$eval("#places li", (all) => all.map((it) => it.textContent)), ["Upload"]);
await page.fill(".palette input", "audit");
await Promise.all([page.waitForURL("**/audit"), page.keyboard.press("Enter")]);

// What ends something asks; and a run leads to the one before it.
const again = (answer) => Promise.all([page.waitForSelector("dialog", { state: "detached" }), page.click(`dialog button:text-is("${answer}")`)]);
await page.goto(failed);
await page.keyboard.press("A");
await again("No");
same("no is no", [new URL(page.url()).pathname, await page.locator("form[action$='/cancel']").count()], [failed, 1]);
await page.keyboard.press("h");
await page.waitForURL("**said=oldest");
same("there is none before", await page.textContent("[role=status]"), "No run of this workflow before this one is there.");

// A regular expression: the server says what fits, the address keeps it, and what is wrong with one is said there.
const searched = (pattern) => `${failed}?re=1&q=${encodeURIComponent(pattern)}`;
await page.goto(searched("package 39\\d$"));
same("what fits is counted", await page.textContent(".hits p"), "10 lines have that.");
same("it stays a pattern", await page.isChecked("#re"), true);
same("what fits is lit", await page.evaluate(() => [...CSS.highlights.get("found")].map(String).slice(0, 2)), ["package 390", "package 391"]);
await page.click(".hits li:nth-child(3) > a");
await comes(page, "a line that fits", at, "Collecting package 392");
same("the address keeps it", new URL(page.url()).searchParams.get("q"), "package 39\\d$");
await page.goto(searched("package (39"));
same("what is wrong", (await page.textContent(".hits pre")).includes("unclosed group"), true);
same("the log stands below", (await rows(page)).includes("Failures"), true);

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

// What keys and buttons do is there when the page is, however late its files come.
const late = await person({});
await late.route(/[.]js$/, (file) => { setTimeout(() => file.continue(), file.request().url().includes("log.js") ? 0 : 300); });
await late.goto(failed);
same("the page is ready with its keys", await late.locator(".logkeys button").allTextContents(), ["Wrap", "Keys"]);

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
