// Brings a part of the page to what the server says now, and leaves alone what is the same: what somebody opened,
// wrote, marked, reached by keyboard or scrolled to is theirs, wherever it stands now.

// What a node is about: what stands beside it comes and goes. A row is about what it leads to first, a form about what
// it does, and a choice about what is chosen with it; of what is not told apart, the first is still the first.
const about = (it) => {
  if (it.nodeType !== Node.ELEMENT_NODE) return it.nodeName;
  const attribute = (name) => it.getAttribute(name);
  // A field may be called `id`: then a form's `id` is that field.
  const name = attribute("id") || attribute("data-about") || attribute("name") || attribute("href")
    || attribute("action") || (it.matches("option") && it.value)
    || (it.matches("li, tr") && it.querySelector("a[href]")?.getAttribute("href"))
    || (it.matches("details") && it.querySelector("summary")?.textContent) || "";
  return `${it.nodeName} ${name}`;
};
const named = (nodes) => {
  const seen = new Map();
  return nodes.map((it) => {
    const name = about(it);
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return [`${name} ${count}`, it];
  });
};

// Whether something is open is up to whoever looks at it.
const THEIRS = new Set(["open"]);
const attributes = (old, now) => {
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && !THEIRS.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value && !THEIRS.has(name)) old.setAttribute(name, value);
  }
};

const children = (old, now) => {
  const there = new Map(named([...old.childNodes]));
  const wanted = named([...now.childNodes]);
  const stays = new Set(wanted.map(([name]) => name));
  for (const [name, it] of there) if (!stays.has(name)) it.remove();
  let at = old.firstChild;
  for (const [name, it] of wanted) {
    const known = there.get(name);
    if (known) merge(known, it);
    // A copy: a choice that is taken out of a list makes the next one the chosen, and would bring that with it.
    const node = known ?? document.importNode(it, true);
    if (node === at) { at = at.nextSibling; continue; }
    // Moved as it is, where the browser can: elsewhere it loses the focus, which it is given back.
    if (known && old.moveBefore) old.moveBefore(node, at); else old.insertBefore(node, at);
  }
};

// `old` is of the page, `now` of what came; both are of the same name.
export const merge = (old, now) => {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    return;
  }
  // In the words and the zone of who looks, already.
  if (old.matches("time[data-ms]") && old.dataset.ms === now.dataset.ms) return;
  attributes(old, now);
  children(old, now);
};
