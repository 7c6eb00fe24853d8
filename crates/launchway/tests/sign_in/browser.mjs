// A person signs in by the provider, in a real browser: with a script, and without. The provider is another
// site than the server, so a session's cookie is shown only where a page of the server leads on.
//
//   node browser.mjs FOLDER-WITH-MODULES URL LOGIN [FOLDER-FOR-PICTURES]

import { createRequire } from "node:module";
import path from "node:path";

const [modules, url, login, pictures] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "node_modules", "x"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.LAUNCHWAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
});

for (const javaScriptEnabled of [true, false]) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ baseURL: url, javaScriptEnabled, colorScheme });
    const page = await context.newPage();
    const picture = async (name) => {
      if (!pictures || !javaScriptEnabled) return;
      for (const width of [390, 768, 1440]) {
        await page.setViewportSize({ width, height: 700 });
        await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${width}.png` });
      }
    };
    const seen = [];
    page.on("framenavigated", (frame) => seen.push(new URL(frame.url()).pathname));
    page.on("response", (answer) => {
      if (answer.url().startsWith(`${url}/sign-in/return`)) seen.push(`answer ${answer.status()}`);
    });
    await page.goto("/environments");
    await page.getByRole("link", { name: "Sign in with localhost" }).click();
    await page.fill("input[name=login]", login);
    await page.fill("input[name=password]", "x");
    await page.click("button[type=submit]");
    await page.locator("input[name=prompt][value=consent]").waitFor({ state: "attached" });
    await Promise.all([page.waitForURL(`${url}/environments`), page.click("button[type=submit]")]);
    const heading = await page.locator("h1").textContent();
    const who = await page.locator("form.who span").textContent();
    console.log(`${javaScriptEnabled ? "script" : "plain"} ${colorScheme}: ${heading}, ${who}, ${seen.includes("answer 200")}`);
    await Promise.all([page.waitForURL(`${url}/sign-in`), page.click("form.who button")]);
    await page.goto("/sign-in/return?code=x&state=y");
    await picture("refused");
    await context.close();
  }
}
await browser.close();
