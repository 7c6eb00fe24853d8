// Keys, for who likes them: one list of what means something here, now. A page says what a key does by
// `data-key` on its link or button, a script by `keys`. `?` shows the list, Ctrl-K goes anywhere by name.

const keys = [];
const LISTED = 12; // places that are listed at once

// `means` says whether the key does something now; what it is not there for is not listed either.
export const key = (names, says, act, means = () => true) => keys.push({ names: [names].flat(), says, act, means });

const element = (name, text, more) => Object.assign(document.createElement(name), { textContent: text }, more);
const marked = () => [...document.querySelectorAll("[data-key]")].filter((it) => !it.closest("dialog"));

// A dialog that is made when somebody wants it, and gone with its end.
const dialog = (title, ...parts) => {
  document.querySelector("dialog.made")?.close();
  const it = element("dialog", "", { className: "made" });
  it.setAttribute("aria-label", title);
  it.append(element("h2", title), ...parts);
  it.addEventListener("close", () => it.remove());
  it.addEventListener("click", (event) => { if (event.target === it) it.close(); });
  document.body.append(it);
  it.showModal();
  return it;
};
const buttons = (...texts) => {
  const form = element("form", "", { method: "dialog", className: "actions" });
  form.append(...texts.map((text, at) => element("button", text, { value: String(at), className: at ? "" : "main" })));
  return form;
};

// What cannot be taken back is asked for once more, by whatever way it is done: `data-confirm` on a form's button says
// what is asked, `data-yes` the answer that does it. Why is asked there, too, where the form has a field for it. Without
// a script that field is seen, and the button alone does it.
let agreed = null;
document.addEventListener("submit", (event) => {
  const it = event.submitter;
  if (!it?.dataset.confirm || it === agreed) { agreed = null; return; }
  event.preventDefault();
  const answers = buttons(it.dataset.yes ?? it.textContent.trim(), "No");
  const why = it.form.querySelector(".why");
  const said = why?.cloneNode();
  if (said) answers.prepend(said);
  answers.querySelector("button").autofocus = true;
  const asked = dialog(it.dataset.confirm, answers);
  asked.setAttribute("role", "alertdialog");
  asked.addEventListener("close", () => {
    // Meanwhile the page may have learnt that there is nothing to be done any more.
    if (asked.returnValue !== "0" || !it.isConnected) return;
    agreed = it;
    if (said) why.value = said.value;
    it.form.requestSubmit(it);
  });
});

const help = () => {
  const list = element("dl", "", { className: "keys" });
  const here = keys.filter((it) => it.means()).map((it) => [it.names, it.says]);
  const said = marked().map((it) => [[it.dataset.key], it.dataset.says ?? it.textContent.trim()]);
  for (const [names, says] of [...here, ...said, [["Ctrl-K"], "goes to a page, a job or a step by its name"], [["?"], "this list"]]) {
    const row = element("div", "");
    const term = element("dt", "");
    for (const name of names) term.append(element("kbd", name), " ");
    row.append(term, element("dd", says));
    list.append(row);
  }
  const note = document.getElementById("keysnote");
  dialog("Keys", list, ...(note ? [note.content.cloneNode(true)] : []), buttons("Close"));
};

// Every place that this page leads to, found by parts of its name.
const palette = () => {
  const seen = new Set();
  const places = [];
  for (const link of document.querySelectorAll(".top nav a, .crumbs a, .tabs a, main a.title, .stepnav a, .graph a, main .actions a")) {
    const text = (link.querySelector(".name, text:not(.sign)") ?? link).textContent.trim();
    if (!text || seen.has(`${text} ${link.getAttribute("href")}`)) continue;
    seen.add(`${text} ${link.getAttribute("href")}`);
    places.push({ text, href: link.getAttribute("href") });
  }
  const field = element("input", "", { type: "text", autocomplete: "off", spellcheck: false, placeholder: "A page, a job, a step, or a run’s number" });
  const list = element("ul", "", { id: "places" });
  const set = (names) => { for (const [name, value] of Object.entries(names)) field.setAttribute(name, value); };
  set({ role: "combobox", "aria-label": "Where to", "aria-controls": "places", "aria-expanded": "true" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Places");
  let at = 0;
  const choose = (to) => {
    at = Math.max(0, Math.min(to, list.children.length - 1));
    [...list.children].forEach((it, number) => it.setAttribute("aria-selected", String(number === at)));
    set({ "aria-activedescendant": list.children[at]?.id ?? "" });
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const fill = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = places.filter((it) => words.every((word) => it.text.toLowerCase().includes(word)));
    if (/^\d+$/.test(field.value)) fits.unshift({ text: `Run ${field.value}`, href: `/runs/${field.value}` });
    list.replaceChildren(...fits.slice(0, LISTED).map(({ text, href }, number) => {
      const row = element("li", "", { id: `place${number}` });
      row.setAttribute("role", "option");
      row.append(element("a", text, { href, tabIndex: -1 }));
      return row;
    }));
    choose(0);
  };
  field.addEventListener("input", fill);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); choose(at + step); }
    if (event.key === "Enter") { event.preventDefault(); list.children[at]?.firstElementChild.click(); }
  });
  dialog("Go to", field, list).classList.add("palette");
  fill();
  field.focus();
};

// One after the other: what a list leads to.
const titles = () => [...document.querySelectorAll("main :is(.runs, .jobs, .rows, .places) a:is(.title, h2 a)")];
const move = (by) => {
  const all = titles();
  const here = all.indexOf(document.activeElement);
  const to = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : here + by];
  to?.focus();
  to?.scrollIntoView({ block: "nearest" });
};
if (!document.getElementById("lines")) {
  key("j", "next of the list", () => move(1), () => titles().length > 0);
  key("k", "the one before", () => move(-1), () => titles().length > 0);
}

const TYPED = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    if (!document.querySelector("dialog.palette")) palette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  if (event.target.closest(`${TYPED}, dialog`) || document.querySelector("dialog[open]")) return;
  const known = keys.find((it) => it.names.includes(event.key) && it.means());
  const there = marked().find((it) => it.dataset.key === event.key);
  if (known) known.act(event.key);
  else if (there) there.click();
  else if (event.key === "?") help();
  else return;
  event.preventDefault();
});
export { help };
