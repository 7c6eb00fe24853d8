// One stream of what happens, for a page that somebody looks at. By HTTP/1.1 a browser has six connections to a
// server, of all its tabs together, and a stream holds one as long as it stands: with six of them no page would
// load any more. So a tab that nobody sees gives its stream back, and of those that are seen (windows side by
// side) no more than STREAMS have one at a time; the others look again every so often.

const STREAMS = 4;
const LOOK = 5000; // ms between two looks for a stream that is free

// Browsers give locks to pages that came by an encrypted way, or from this machine; elsewhere nobody counts.
const taken = async (hold) => {
  if (!navigator.locks) return hold();
  for (let number = 0; number < STREAMS; number += 1) {
    const options = { ifAvailable: true };
    let held = false;
    await navigator.locks.request(`launchway-stream-${number}`, options, async (lock) => {
      if (!lock) return;
      held = true;
      await hold();
    });
    if (held) return true;
  }
  return false;
};

// Listens at an address that ends in `after=N`, or may. `on` has a handler for each event by its name; `opened` is
// called when the stream stands, and `waits` at each look that finds none free. Gives what ends it.
export const listen = (address, { on, opened = () => {}, waits = () => {} }) => {
  let [source, isOver, isAsked, last, later, release] = [null, false, false, null, 0, () => {}];
  const close = () => { source?.close(); source = null; release(); };
  const end = () => { isOver = true; close(); };
  const open = () => new Promise((done) => {
    release = done;
    if (isOver || document.hidden) { done(); return; }
    const url = new URL(address, location.href);
    if (last) url.searchParams.set("after", last);
    source = new EventSource(url);
    source.addEventListener("open", opened);
    // What the server refused is not tried again by the browser: its place is given back, and it is asked for again.
    source.addEventListener("error", () => { if (source?.readyState === EventSource.CLOSED) { close(); waits(); } });
    for (const [name, handler] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handler(event, end);
      });
    }
  });
  const ask = async () => {
    if (isAsked || source || isOver || document.hidden) return;
    isAsked = true;
    const began = Date.now();
    const had = await taken(open).catch(() => false);
    isAsked = false;
    if (isOver || document.hidden) return;
    if (had === false) waits();
    // One that stood for long is asked for at once: the tab was hidden and is seen again.
    clearTimeout(later);
    if (had === false || Date.now() - began < LOOK) later = setTimeout(ask, LOOK); else ask();
  };
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else ask(); });
  addEventListener("pagehide", close);
  addEventListener("pageshow", ask);
  ask();
  return end;
};
