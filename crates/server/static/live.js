// Makes pages follow what happens. Every page says the same without it.

const WINDOW = 200;       // lines asked for at once
const LINES_MAX = 1500;   // lines in the page; the others are asked for again
const NEAR = 1200;        // px to the edge at which more lines are asked for
const MOMENT = 400;       // ms between two looks at a page that changes

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

// Puts what the server says now in place of what it said before, where nobody is writing.
const main = document.getElementById("main");
let asked = false;
const refresh = async (parts) => {
  if (asked) return;
  asked = true;
  await new Promise((done) => setTimeout(done, MOMENT));
  asked = false;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const [old, now] = [document.querySelector(part), page.querySelector(part)];
    if (!old || !now || old.innerHTML === now.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const href = focused?.getAttribute("href");
    const scroll = old.querySelector(".graph")?.scrollLeft ?? 0;
    old.replaceChildren(...now.childNodes);
    if (old.querySelector(".graph")) old.querySelector(".graph").scrollLeft = scroll;
    if (href) old.querySelector(`[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
  }
  times();
};

if (main?.dataset.live) {
  const source = new EventSource(main.dataset.live);
  // What came while nobody listened is looked at once the connection stands (again).
  let opened = 0;
  source.addEventListener("open", () => { if (opened++) refresh(["#main"]); });
  source.addEventListener("changed", () => refresh(["#main"]));
  source.addEventListener("end", () => { source.close(); refresh(["#main"]); });
}

const list = document.getElementById("lines");
if (list?.dataset.lines) logViewer(list);

function logViewer(list) {
  const { ask, lines: path } = list.dataset;
  let first = Number(list.dataset.first);
  let next = Number(list.dataset.next);
  let total = Number(list.dataset.total);
  const follows = "follow" in list.dataset;
  let following = follows;
  let fresh = 0;
  let busy = false;
  const left = () => document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
  const group = new Intl.NumberFormat("en");
  const parse = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content;
  };
  const said = () => {
    const extent = document.getElementById("extent");
    extent.textContent = first === 1 && next > total ? `${group.format(total)} lines`
      : `lines ${group.format(first)}–${group.format(next - 1)} of ${group.format(total)}`;
    if (first === 1) document.querySelector(".more[rel=prev]")?.remove();
    if (next > total) document.querySelector(".more[rel=next]")?.remove();
  };
  const append = (content) => {
    next += content.childElementCount;
    total = Math.max(total, next - 1);
    list.append(content);
    document.querySelector(".log .empty")?.remove();
    if (list.children.length <= LINES_MAX) return;
    // What somebody looks at stays where it is.
    const height = document.documentElement.scrollHeight;
    const surplus = list.children.length - LINES_MAX;
    const past = document.createRange();
    past.setStartBefore(list.firstElementChild);
    past.setEndBefore(list.children[surplus]);
    past.deleteContents();
    first += surplus;
    window.scrollBy(0, document.documentElement.scrollHeight - height);
  };
  const part = async (from, count) => {
    const answer = await fetch(`${path}from=${from}&count=${count}`).catch(() => null);
    return answer?.ok ? parse(await answer.text()) : null;
  };
  const later = async () => {
    if (busy || next > total) return;
    busy = true;
    const content = await part(next, WINDOW);
    if (content) { append(content); said(); }
    busy = false;
  };
  const earlier = async () => {
    if (busy || first === 1) return;
    busy = true;
    const from = Math.max(1, first - WINDOW);
    const content = await part(from, first - from);
    if (content) {
      const height = document.documentElement.scrollHeight;
      list.prepend(content);
      window.scrollBy(0, document.documentElement.scrollHeight - height);
      first = from;
      while (list.children.length > LINES_MAX) { list.lastElementChild.remove(); next -= 1; }
      said();
    }
    busy = false;
  };
  let button = null;
  const pill = () => {
    if (fresh === 0) { button?.remove(); button = null; return; }
    if (!button) {
      button = document.createElement("button");
      button.className = "pill";
      button.addEventListener("click", () => end());
      document.body.append(button);
    }
    button.textContent = fresh === 1 ? "1 new line" : `${group.format(fresh)} new lines`;
  };
  const end = () => {
    if (next <= total) { location.href = `${ask}tail=1`; return; }
    following = follows; fresh = 0; pill();
    window.scrollTo(0, document.documentElement.scrollHeight);
  };
  // Whoever comes near the edge of what is there is given more; whoever looks away from the end is
  // left where they look.
  addEventListener("scroll", () => {
    if (list.getBoundingClientRect().top > -NEAR) earlier();
    if (left() < NEAR) later();
    if (left() > 80 || next <= total) following = false;
    else { following = follows; fresh = 0; pill(); }
  }, { passive: true });
  addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("q").focus(); }
    if (event.key === "g") location.href = `${ask}from=1`;
    if (event.key === "G") location.href = `${ask}tail=1`;
    if (event.key === "f" && follows) end();
  });
  if (!follows) return;
  end();
  const source = new EventSource(list.dataset.follow);
  const news = (event) => {
    const content = parse(event.data);
    const begin = Number(content.firstElementChild.id.slice(1));
    const count = content.childElementCount;
    if (following && event.type === "jump") { list.replaceChildren(); first = next = begin; }
    // What does not join what is there is asked for when somebody comes there.
    if (following && begin === next) { append(content); said(); end(); return; }
    total = Math.max(total, begin + count - 1);
    fresh += count;
    said();
    pill();
  };
  source.addEventListener("lines", news);
  source.addEventListener("jump", news);
  source.addEventListener("changed", () => refresh([".stepnav", ".heading"]));
  source.addEventListener("end", () => { source.close(); refresh([".stepnav", ".heading"]); });
}
