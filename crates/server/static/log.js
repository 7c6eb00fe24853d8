// The log of a job, by windows of rows. A row is a line, a group or a step; what is folded is one row,
// and its lines are neither here nor asked for. Every page says the same without this.

import { listen } from "./stream.js";
import { key, help } from "./keys.js";

const WINDOW = 80;     // rows asked for at once
const ROWS_MAX = 300;  // rows in the page; the others are asked for again
const NEAR = 1200;     // px to the edge at which more rows are asked for
const AT_END = 80;     // px from the end that still count as being there

const list = document.getElementById("lines");
if (list?.dataset.lines) viewer(list);

function viewer(list) {
  const path = list.dataset.lines;
  const follows = "follow" in list.dataset;
  const errors = list.dataset.errors ? list.dataset.errors.split(",").map(Number) : [];
  const wish = new URLSearchParams(list.dataset.wish);
  const parts = (name) => new Set((wish.get(name) ?? "").split(",").filter(Boolean));
  const [open, shut] = [parts("open"), parts("shut")];
  const group = new Intl.NumberFormat("en");
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* a private window */ } };
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

  let first = Number(list.dataset.first);
  let next = Number(list.dataset.next);
  let total = Number(list.dataset.total);
  let following = follows && next > total;
  let wasAtEnd = following;
  let fresh = 0;

  // Where a row begins, and which line is its last.
  const begins = (row) => Number(row.dataset.from ?? row.id.slice(1));
  const ends = (row) => row.classList.contains("shut") ? Number(row.dataset.to)
    : row.classList.contains("step") ? begins(row) - 1 : begins(row);
  const left = () => document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
  const tall = () => document.documentElement.scrollHeight;

  // ---- Rows from the server.
  const ask = async (where) => {
    const query = new URLSearchParams(where);
    if (wish.has("folds")) query.set("folds", wish.get("folds"));
    if (open.size) query.set("open", [...open].join(","));
    if (shut.size) query.set("shut", [...shut].join(","));
    const answer = await fetch(`${path}${query}`).catch(() => null);
    return answer?.ok ? parse(await answer.text()) : null;
  };
  const parse = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    clock(holder.content.children);
    return holder.content;
  };
  const more = (rel, show) => {
    let link = document.querySelector(`.more[rel=${rel}]`);
    if (!show) { link?.remove(); return; }
    if (link) return;
    link = document.createElement("a");
    link.className = "more"; link.rel = rel; link.href = "#";
    link.textContent = rel === "prev" ? "Earlier lines" : "Later lines";
    const region = document.getElementById("region");
    if (rel === "prev") region.before(link); else region.after(link);
  };
  const said = () => {
    const all = first === 1 && next > total;
    document.getElementById("extent").textContent = all ? `${group.format(total)} lines`
      : `lines ${group.format(first)}–${group.format(next - 1)} of ${group.format(total)}`;
    more("prev", first > 1);
    more("next", next <= total);
    light();
  };
  const bounds = () => {
    if (list.firstElementChild) first = begins(list.firstElementChild);
    if (list.lastElementChild) next = ends(list.lastElementChild) + 1;
    total = Math.max(total, next - 1);
  };
  const cut = (from, to) => {
    const past = document.createRange();
    past.setStartBefore(list.children[from]);
    past.setEndAfter(list.children[to - 1]);
    past.deleteContents();
  };
  const append = (content) => {
    list.append(content);
    document.querySelector(".log .empty")?.remove();
    let surplus = list.children.length - ROWS_MAX;
    // A step's row stays with its first line.
    while (surplus > 0 && list.children[surplus - 1].matches(".step:not(.shut)")) surplus -= 1;
    if (surplus > 0) {
      // What somebody looks at stays where it is.
      const before = tall();
      cut(0, surplus);
      window.scrollBy(0, tall() - before);
    }
    bounds();
  };
  const prepend = (content) => {
    const before = tall();
    list.prepend(content);
    window.scrollBy(0, tall() - before);
    if (list.children.length > ROWS_MAX) cut(ROWS_MAX, list.children.length);
    bounds();
  };
  // One after the other: each looks at what the one before left. More of the same waits for nobody.
  let turns = Promise.resolve();
  let waiting = 0;
  const inTurn = (work) => {
    waiting += 1;
    turns = turns.then(work).catch(() => {}).finally(() => { waiting -= 1; });
    return turns;
  };
  const unlessBusy = (work) => waiting ? null : inTurn(work);
  const later = () => next > total ? null : unlessBusy(async () => {
    const content = await ask({ from: next, count: WINDOW });
    if (content?.childElementCount) { append(content); said(); }
  });
  const earlier = () => first <= 1 ? null : unlessBusy(async () => {
    const content = await ask({ to: first - 1, count: WINDOW });
    if (content?.childElementCount) { prepend(content); said(); }
  });

  const fill = () => { if (left() < NEAR) later(); };

  // ---- Places.
  const replace = async (where) => {
    const content = await ask({ ...where, count: WINDOW });
    if (!content?.childElementCount) return;
    list.replaceChildren(content);
    bounds();
    said();
    setTimeout(fill);
  };
  const show = (row) => row?.scrollIntoView({ block: "center" });
  const go = async (line) => {
    if (!document.getElementById(`L${line}`)) await inTurn(() => replace({ line }));
    show(document.getElementById(`L${line}`));
  };
  const top = async () => {
    if (first > 1) await inTurn(() => replace({ from: 1 }));
    window.scrollTo(0, 0);
  };
  const end = async () => {
    if (next <= total) await inTurn(() => replace({ tail: 1 }));
    window.scrollTo(0, tall());
    wasAtEnd = next > total;
    following = follows && wasAtEnd;
    fresh = 0;
    pill();
  };

  // ---- Lines that somebody points at: the address says which.
  const mark = (from, to) => {
    for (const row of list.querySelectorAll(".picked")) row.classList.remove("picked");
    for (const row of list.children) {
      if (row.id[0] === "L" && begins(row) >= from && begins(row) <= to) row.classList.add("picked");
    }
  };
  let picked = Number(new URLSearchParams(location.search).get("line"));
  const point = (number, event) => {
    const from = event.shiftKey && picked ? Math.min(picked, number) : number;
    const to = event.shiftKey && picked ? Math.max(picked, number) : number;
    if (!event.shiftKey || !picked) picked = number;
    const query = new URLSearchParams(location.search);
    for (const name of ["near", "from", "tail", "to"]) query.delete(name);
    query.set("line", from);
    if (to > from) query.set("to", to);
    history.replaceState(null, "", `?${query}#L${from}`);
    mark(from, to);
  };

  // ---- Folding.
  const turn = async (link) => {
    const row = link.closest("li");
    const part = link.dataset.part;
    const wasShut = row.classList.contains("shut");
    (wasShut ? shut : open).delete(part);
    (wasShut ? open : shut).add(part);
    row.classList.toggle("shut", !wasShut);
    link.setAttribute("aria-expanded", String(wasShut));
    let at = [...list.children].indexOf(row) + 1;
    if (wasShut) {
      // What stands behind it is asked for again when somebody comes there.
      const to = Number(row.dataset.to);
      const content = await ask({ from: row.matches(".step") ? begins(row) : begins(row) + 1, count: WINDOW });
      if (!content) return;
      // The first of them is the step's own row once more.
      if (row.matches(".step") && content.firstElementChild?.id === row.id) content.firstElementChild.remove();
      const last = content.lastElementChild;
      if (last && ends(last) < to) { if (at < list.children.length) cut(at, list.children.length); list.append(content); }
      else {
        for (const other of [...content.children]) if (begins(other) > to) other.remove();
        row.after(content);
      }
    } else {
      const to = Number(row.dataset.to ?? total);
      let until = at;
      while (until < list.children.length && begins(list.children[until]) <= to) until += 1;
      if (until > at) cut(at, until);
      if (!row.dataset.to) row.dataset.to = String(next - 1);
    }
    bounds();
    said();
  };

  list.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.button) return;
    const fold = event.target.closest("a.fold");
    if (fold) { event.preventDefault(); inTurn(() => turn(fold)).then(fill); return; }
    const number = event.target.closest("li > a");
    if (number?.parentElement.id[0] === "L") { event.preventDefault(); point(begins(number.parentElement), event); }
  });
  document.querySelector(".log").addEventListener("click", (event) => {
    const link = event.target.closest("a.more[rel], a[data-do]");
    if (!link || event.ctrlKey || event.metaKey || event.button) return;
    event.preventDefault();
    if (link.rel === "prev") earlier();
    else if (link.rel === "next") later();
    else if (link.dataset.do === "top") top();
    else if (link.dataset.do === "end") end();
    else if (link.dataset.do === "error") error();
  });

  // ---- Times: by the clock of who looks, or since the job began.
  const CLOCKS = ["none", "clock", "since"];
  const began = Number(list.dataset.began ?? 0);
  const asked = new URLSearchParams(location.search).get("times");
  let shown = { utc: "clock", since: "since" }[asked] ?? kept("log-times") ?? "none";
  const two = (number, digits = 2) => String(number).padStart(digits, "0");
  const tell = (ms) => {
    if (shown === "since") {
      const since = Math.max(0, ms - began);
      return `${Math.floor(since / 60000)}:${two(Math.floor(since / 1000) % 60)}.${two(since % 1000, 3)}`;
    }
    const at = new Date(ms);
    return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
  };
  function clock(rows) {
    for (const row of rows) {
      let time = row.querySelector(":scope > time");
      if (shown === "none" || !row.dataset.ms) { time?.remove(); continue; }
      if (!time) { time = document.createElement("time"); row.children[0].after(time); }
      time.textContent = tell(Number(row.dataset.ms));
      time.title = new Date(Number(row.dataset.ms)).toISOString();
    }
  }
  const clocks = document.querySelector(".clocks");
  const times = (which) => {
    shown = which;
    keep("log-times", which);
    clock(list.children);
    list.classList.toggle("timed", shown !== "none");
    clocks?.querySelectorAll("a").forEach((link, at) => {
      if (CLOCKS[at] === shown) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    });
  };
  clocks?.querySelectorAll("a").forEach((link, at) => {
    if (CLOCKS[at] === "clock") link.textContent = "Clock";
    link.addEventListener("click", (event) => { event.preventDefault(); times(CLOCKS[at]); });
  });
  if (clocks) times(shown);

  // ---- What was found.
  const query = document.getElementById("q");
  const hits = [...document.querySelectorAll(".hits li")];
  let hit = -1;
  // What a pattern fits only the server knows: it says it of each line that it found.
  const isPattern = document.getElementById("re")?.defaultChecked;
  const texts = new Map(hits.map((it) => [it.dataset.line, it.dataset.found]));
  const lit = (root, text, ranges) => {
    if (!text) return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let at = node.data.indexOf(text); at >= 0; at = node.data.indexOf(text, at + text.length)) {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + text.length);
        ranges.push(range);
      }
    }
  };
  const light = () => {
    if (!hits.length || !window.Highlight) return;
    const ranges = [];
    for (const it of hits) lit(it.querySelector(":scope > span"), it.dataset.found, ranges);
    if (!isPattern) lit(list, new URLSearchParams(location.search).get("q"), ranges);
    else for (const row of list.children) lit(row, texts.get(row.id), ranges);
    CSS.highlights.set("found", new Highlight(...ranges));
  };
  const found = (by) => {
    if (!hits.length) return;
    const last = document.getElementById("morehits");
    if (hit + by >= hits.length && last) { location.href = `${last.href}#first`; return; }
    hit = (hit + by + hits.length) % hits.length;
    for (const it of hits) it.classList.toggle("picked", it === hits[hit]);
    const box = hits[hit].closest(".hits");
    box.scrollTop = hits[hit].offsetTop - box.offsetTop - box.clientHeight / 3;
    const line = Number(hits[hit].dataset.line.slice(1));
    go(line).then(() => mark(line, line));
  };
  for (const [at, it] of hits.entries()) {
    it.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.target.closest("a") === null) return;
      event.preventDefault();
      hit = at - 1;
      found(1);
    });
  }
  let wrong = 0;
  const error = () => {
    if (!errors.length) return;
    const line = errors.find((line) => line > wrong) ?? errors[0];
    wrong = line;
    go(line).then(() => mark(line, line));
  };

  // ---- Keys, and what they do as buttons.
  const wrap = (is) => { list.classList.toggle("long", !is); keep("log-wrap", is ? "yes" : "no"); };
  if (kept("log-wrap") === "no") wrap(false);
  const follow = () => {
    if (!follows) return;
    if (following) { following = false; state(); } else end().then(state);
  };
  const aloud = document.getElementById("region");
  const bar = document.querySelector(".logkeys");
  const button = (text, title, act) => {
    const it = document.createElement("button");
    it.type = "button"; it.className = "quiet"; it.textContent = text; it.title = title;
    it.addEventListener("click", () => act(it));
    bar.append(it);
    return it;
  };
  const followed = follows ? button("Follow", "f", follow) : null;
  if (follows) {
    button("Read aloud", "Screen readers say new lines", (it) => {
      const is = aloud.getAttribute("aria-live") === "off";
      aloud.setAttribute("aria-live", is ? "polite" : "off");
      it.setAttribute("aria-pressed", String(is));
    }).setAttribute("aria-pressed", "false");
  }
  button("Wrap", "w", () => wrap(list.classList.contains("long")));
  button("Keys", "?", help);
  const state = () => followed?.setAttribute("aria-pressed", String(following));
  // Rows by keys: what leads on in them has the focus, so that Enter does what a click would.
  const isSeen = (row) => row && row.offsetHeight > 0;
  const highest = () => document.querySelector(".logbar").getBoundingClientRect().bottom;
  const top_row = () => [...list.children].find((row) => isSeen(row) && row.getBoundingClientRect().top >= highest() - 1);
  const stand = (row, block = "nearest") => {
    if (!row) return;
    (row.querySelector("a.fold") ?? row.querySelector("a"))?.focus({ preventScroll: true });
    row.scrollIntoView({ block });
  };
  const move = (by) => {
    const here = document.activeElement?.closest("#lines > li");
    let row = here ?? top_row();
    if (here) do { row = by > 0 ? row?.nextElementSibling : row?.previousElementSibling; } while (row && !isSeen(row));
    stand(row);
  };
  // Steps: the one that the place where somebody looks is in, and the next or the one before.
  const steps = () => [...document.querySelectorAll(".stepnav li[data-line]")];
  const step = async (by) => {
    const all = steps();
    const row = document.activeElement?.closest("#lines > li") ?? top_row() ?? list.lastElementChild;
    const at = row ? begins(row) : 1;
    const here = all.findLastIndex((it) => Number(it.dataset.line) <= at);
    // Back to where this step begins first, as players of music do it.
    const isWithin = by < 0 && here >= 0 && !row?.matches(".step") && Number(all[here].dataset.line) < at;
    const to = all[isWithin ? here : here + by];
    if (!to) return;
    const id = `S${to.dataset.step}`;
    if (!document.getElementById(id)) await inTurn(() => replace({ near: to.dataset.line }));
    stand(document.getElementById(id) ?? document.getElementById(`L${to.dataset.line}`), "start");
  };
  // Lines that somebody points at, for a comment: as a quotation, with the address below it.
  const quote = () => {
    const rows = [...list.querySelectorAll("li.picked")];
    const texts = rows.map((row) => `> ${printed(row)}`);
    navigator.clipboard?.writeText(`${texts.join("\n")}\n>\n> ${location.href}\n`);
  };
  const isLong = () => list.classList.contains("long");
  key(["j", "k"], "next row, the one before", (name) => move(name === "j" ? 1 : -1));
  key(["[", "]"], "step before, next step", (name) => step(name === "]" ? 1 : -1), () => steps().length > 0);
  key(["g", "G"], "top, end", (name) => name === "g" ? top() : end());
  key("/", "finds in the whole log; Esc leaves the field", () => query.focus());
  key(["n", "N"], "next, previous line that was found", (name) => found(name === "n" ? 1 : -1), () => hits.length > 0);
  key("e", "next error", error, () => errors.length > 0);
  key("f", "follows what is printed, or stops", follow, () => follows);
  key("w", "wraps long lines, or not", () => wrap(isLong()));
  key("t", "times: by the clock, since the start, none", () => times(CLOCKS[(CLOCKS.indexOf(shown) + 1) % CLOCKS.length]), () => clocks !== null);
  key("c", "copies the lines pointed at as a quotation with their address", quote, () => list.querySelector("li.picked") !== null);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === query) { query.blur(); return; }
    // The browser finds what stands in the page, which is some of the log; whoever asks again is given that.
    const isFind = event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    const isHere = event.target.closest?.(".log") || document.querySelector(".log:hover");
    if (isFind && isHere && event.target !== query && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      query.focus();
      query.select();
    }
  });

  // What is copied is what was printed: no numbers, no times.
  function printed(row) {
    return row.matches(".step") ? "" : [...row.querySelectorAll(":scope > span")].map((it) => {
      const text = it.cloneNode(true);
      text.querySelectorAll(".count").forEach((count) => count.remove());
      return text.textContent;
    }).join("");
  }
  list.addEventListener("copy", (event) => {
    const range = getSelection().getRangeAt(0);
    if (range.startContainer === range.endContainer) return;
    const texts = [...range.cloneContents().querySelectorAll("li")].map(printed);
    if (texts.length < 2) return;
    event.clipboardData.setData("text/plain", `${texts.join("\n")}\n`);
    event.preventDefault();
  });

  // ---- What comes while somebody looks.
  let told = null;
  const pill = () => {
    state();
    if (fresh === 0) { told?.remove(); told = null; return; }
    if (!told) {
      told = document.createElement("button");
      told.className = "pill";
      told.addEventListener("click", end);
      document.body.append(told);
    }
    told.textContent = fresh === 1 ? "1 new line" : `${group.format(fresh)} new lines`;
  };
  // Whoever comes near the edge of what is there is given more; whoever looks away from the end is
  // left where they look, and whoever comes back to it follows. Who ended following at the end was
  // there before: the news of a scroll comes late, and turns nothing on again.
  addEventListener("scroll", () => {
    if (list.getBoundingClientRect().top > -NEAR) earlier();
    if (left() < NEAR) later();
    const isAtEnd = left() <= AT_END && next > total;
    if (!isAtEnd) following = false;
    else if (follows && !wasAtEnd) { following = true; fresh = 0; pill(); }
    wasAtEnd = isAtEnd;
    state();
  }, { passive: true });

  // Steps say in the log what they say beside it.
  document.addEventListener("refreshed", () => {
    for (const item of document.querySelectorAll(".stepnav li")) {
      const [now, was] = [item.querySelector(".state"), document.querySelector(`#S${item.dataset.step} .state`)];
      if (now && was && now.className !== was.className) was.replaceWith(now.cloneNode(true));
    }
  });

  said();
  if (location.hash === "#first") { hit = -1; found(1); }
  else if (!location.search && !location.hash && errors.length) show(document.getElementById(`L${errors[0]}`));
  if (!follows) return;
  if (following && !location.hash) end(); else state();
  const news = (event) => {
    const content = parse(event.data);
    // What is here already is not told twice.
    const isHere = (row) => (row.matches(".step:not(.shut)") ? begins(row) : ends(row)) < next;
    while (content.firstElementChild && isHere(content.firstElementChild)) content.firstElementChild.remove();
    if (!content.firstElementChild) return;
    const [begin, last] = [begins(content.firstElementChild), ends(content.lastElementChild)];
    if (following && event.type === "jump") { list.replaceChildren(); next = begin; }
    if (following && begin === next) { append(content); said(); window.scrollTo(0, tall()); return; }
    // What does not join what is there is asked for when somebody comes there.
    fresh += Math.max(0, last - total);
    total = Math.max(total, last);
    said();
    pill();
  };
  const stale = () => document.dispatchEvent(new CustomEvent("stale", { detail: [".stepnav", ".heading"] }));
  listen(list.dataset.follow, {
    // What came while nobody listened is told behind what is here.
    waits: stale,
    on: {
      lines: news,
      jump: news,
      changed: stale,
      end: (_, end) => { end(); stale(); },
      "signed-out": (_, end) => { end(); document.dispatchEvent(new Event("signed-out")); },
    },
  });
}
