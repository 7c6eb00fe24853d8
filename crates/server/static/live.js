// Makes pages follow what happens. Every page says the same without it.

import { listen } from "./stream.js";
import { merge } from "./merge.js";

const MOMENT = 400; // ms between two looks at a page that changes

const times = () => {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ms]")) {
    const at = Number(time.dataset.ms);
    const local = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    time.title = `${local} (${time.dateTime})`;
    const seconds = Math.max(0, Math.round((now - at) / 1000));
    time.textContent = seconds < 60 ? "just now"
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago`
      : seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago`
      : local;
  }
};
times();
setInterval(times, 30000);

// Whoever is let in no longer is told: what stands here is what was true before.
const signedOut = () => {
  if (document.getElementById("signed-out")) return;
  const note = document.createElement("p");
  note.id = "signed-out";
  note.className = "notice bad";
  note.setAttribute("role", "alert");
  const link = document.createElement("a");
  link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = "Sign in again";
  note.append("You are signed out, and this page shows nothing new. ", link, ".");
  document.getElementById("main").before(note);
};
document.addEventListener("signed-out", signedOut);

// What stays where it stands on the screen, whatever comes above it: what has the focus, else what is read at the top.
const anchor = () => {
  const isSeen = (it) => { const { top } = it.getBoundingClientRect(); return top >= 0 && top < innerHeight; };
  const focused = document.activeElement;
  if (main.contains(focused) && isSeen(focused)) return focused;
  return scrollY > 0 ? [...main.querySelectorAll("h1, h2, h3, p, li, tr, summary")].find(isSeen) : null;
};

// Brings the page to what the server says now.
const main = document.getElementById("main");
let asked = false;
const refresh = async (parts) => {
  if (asked) return;
  asked = true;
  await new Promise((done) => setTimeout(done, MOMENT));
  asked = false;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.redirected && new URL(answer.url).pathname === "/sign-in") signedOut();
  if (!answer || !answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [focused, stays] = [document.activeElement, anchor()];
  const top = stays?.getBoundingClientRect().top;
  for (const part of parts) {
    const [old, now] = [document.querySelector(part), page.querySelector(part)];
    if (old && now) merge(old, now);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  times();
  if (stays?.isConnected) scrollBy(0, stays.getBoundingClientRect().top - top);
};

if (main?.dataset.live) {
  const everything = () => refresh(main.dataset.parts?.split(" ") ?? ["#main"]);
  let stood = 0;
  listen(main.dataset.live, {
    // What came while nobody listened is looked at once the connection stands (again).
    opened: () => { if (stood++) everything(); },
    waits: () => { stood += 1; everything(); },
    on: {
      changed: everything,
      end: (_, end) => { end(); everything(); },
      "signed-out": (_, end) => { end(); signedOut(); },
    },
  });
}

// The log viewer asks for the parts beside its lines.
document.addEventListener("stale", async (event) => {
  await refresh(event.detail);
  document.dispatchEvent(new Event("refreshed"));
});
