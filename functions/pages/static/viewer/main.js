// Entry point: connects the parts of the page, and fetches and shows what changes in the view.

import { Api } from "./api.js";
import { hideDetail, showDetail, showNoDetail } from "./detail.js";
import { byId, el } from "./dom.js";
import { exporting } from "./export.js";
import { Filters } from "./filters.js";
import { atLeast, events, visible } from "./format.js";
import { Histogram } from "./histogram.js";
import { keyboard } from "./keyboard.js";
import { liveTail } from "./live.js";
import { Results } from "./results.js";
import { signInDialog } from "./sign-in.js";
import { timeRange } from "./time-range.js";
import { View } from "./view.js";

const SUMMARY_SECONDS = 10; // minimum age of the summary before the live tail renews it

const view = new View();
const api = new Api(signInDialog((path, options) => api.request(path, options)));
const filters = new Filters(view);
const results = new Results((eventId) => view.set({ event: eventId }));
const histogram = new Histogram((start, end) => view.set({ last: null, start, end }));
const live = liveTail(poll);
const exports = exporting(api, () => view.parameters(api.now));
timeRange(view);

let loading = new AbortController();
let listed = ""; // key() of the events shown
let parameters = []; // parameters that `cursor` is valid for
let cursor = null;
let summarized = 0;
let opened = null; // id of the event whose detail is shown

/** Fetch the view's newest events and its summary. */
async function load() {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  if (listed !== key()) clear(); // otherwise the old content stays until the new arrives
  listed = key();
  document.body.classList.add("loading");
  try {
    await api.signedIn(); // before parameters(), because signing in takes time and a preset ends now
    parameters = view.parameters(api.now);
    const [page] = await Promise.all([api.get("event", parameters, signal), summarize(signal)]);
    results.replace(page.events);
    showPage(page);
    clearProblem();
  } catch (error) {
    showProblem(error);
  } finally {
    if (!signal.aborted) document.body.classList.remove("loading");
  }
}

async function loadMore() {
  byId("more").disabled = true;
  try {
    const page = await api.get("event", [...parameters, ["cursor", cursor]], loading.signal);
    results.append(page.events);
    showPage(page);
    clearProblem();
  } catch (error) {
    showProblem(error);
  } finally {
    byId("more").disabled = false;
  }
}

/** Prepend events that arrived since the last poll. If a whole page is new, some may be missing between: load again. */
async function poll() {
  try {
    const fresh = view.parameters(api.now);
    const page = await api.get("event", fresh, loading.signal);
    const isNew = page.events.filter((event) => !results.find(event.event_id));
    if (isNew.length && isNew.length === page.events.length && results.events.length) {
      await load();
    } else if (isNew.length) {
      results.prepend(isNew);
      showCount(page);
      if (api.now - summarized >= SUMMARY_SECONDS) await summarize(loading.signal, fresh);
    }
    clearProblem();
  } catch (error) {
    showProblem(error);
    throw error;
  }
}

async function summarize(signal, of = parameters) {
  const summary = await api.get("event/summary", of, signal);
  histogram.show(summary);
  filters.suggest(summary.frequent);
  summarized = api.now;
}

function showPage(page) {
  cursor = page.next_cursor;
  byId("more").hidden = cursor === null;
  filters.learn(results.events);
  showCount(page);
  results.mark(view.event);
  showWho();
}

function showCount(page) {
  const shown = results.events.length;
  byId("count").textContent = shown ? `${events(shown)} of ${atLeast(page.total_count, page.total_relation)}` : "";
  byId("events").hidden = shown === 0;
  byId("empty").hidden = shown > 0;
  if (shown === 0) byId("empty").replaceChildren(...emptiness());
}

function emptiness() {
  const ways = [];
  if (view.last !== "all") {
    ways.push(
      el(
        "button",
        { type: "button", onclick: () => view.set({ last: "all", start: null, end: null }) },
        "Look at all time",
      ),
    );
  }
  if (view.filters.length) {
    ways.push(el("button", { type: "button", onclick: () => view.set({ filters: [] }) }, "Clear the filters"));
  }
  const advice = ways.length
    ? "Nothing matches in this time range and with these filters."
    : "There are no events yet that you may see. Post one to /event, and it appears here.";
  return [el("h2", {}, "No events"), el("p", { class: "muted" }, advice), el("p", {}, ...ways)];
}

/** Show the detail of the view's event, or close the panel if it has none. */
async function showEvent() {
  const id = view.event;
  results.mark(id);
  if (id === opened) return; // keep the branches that the user opened
  opened = id;
  if (!id) {
    hideDetail();
    return;
  }
  try {
    const event = results.find(id) ?? (await api.get(`event/${encodeURIComponent(id)}`, []));
    if (view.event === id) showDetail(event, { onFilter: (name, value) => view.add(name, value), onClose: close });
  } catch (error) {
    if (view.event === id) showNoDetail(error.message, close);
  }
}

function close() {
  const id = view.event;
  if (!id) return;
  view.set({ event: null });
  results.focus(id);
}

function showProblem(error) {
  if (error.name === "AbortError") return;
  const wrong = (error.errors ?? []).map(({ loc, msg }) => el("li", {}, visible(`${loc.join(".")} ${msg}`)));
  const ways = [el("button", { type: "button", onclick: load }, "Try again")];
  if (error.status === 403) ways.push(el("button", { type: "button", onclick: signOut }, "Sign in as another client"));
  byId("problem").replaceChildren(
    el("strong", {}, visible(error.message)),
    el("ul", { hidden: !wrong.length }, ...wrong),
    ...ways,
  );
  byId("problem").hidden = false;
}

function clearProblem() {
  byId("problem").hidden = true;
}

function showWho() {
  const { sub, customers } = api.claims;
  byId("who").textContent = sub ? visible(customers ? `${sub} (customers ${customers.join(", ")})` : sub) : "";
  byId("sign-out").hidden = false;
}

function signOut() {
  api.signOut();
  exports.stop();
  if (live.isOn) live.toggle();
  filters.forget();
  opened = null;
  listed = "";
  hideDetail();
  byId("who").textContent = "";
  byId("sign-out").hidden = true;
  onChange();
}

function clear() {
  results.replace([]);
  histogram.show(null);
  byId("count").textContent = "";
  byId("more").hidden = true;
  byId("empty").hidden = true;
  byId("events").hidden = true;
}

function key() {
  return JSON.stringify([view.last, view.parameters(0)]);
}

async function onChange() {
  if (key() !== listed) await load();
  await showEvent();
}

function theme() {
  const root = document.documentElement;
  const isDark = root.style.colorScheme
    ? root.style.colorScheme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.style.colorScheme = isDark ? "light" : "dark";
  byId("theme").textContent = isDark ? "Dark" : "Light";
}

function step(by) {
  const id = results.step(by);
  if (id && view.event) view.set({ event: id });
}

if (matchMedia("(prefers-color-scheme: dark)").matches) byId("theme").textContent = "Light";
byId("theme").addEventListener("click", theme);
byId("sign-out").addEventListener("click", signOut);
byId("more").addEventListener("click", loadMore);
view.addEventListener("change", onChange);
keyboard([
  { keys: ["/"], does: "Add a filter", run: () => filters.focus() },
  { keys: ["j"], does: "Next event", run: () => step(1) },
  { keys: ["k"], does: "Previous event", run: () => step(-1) },
  { keys: ["Escape"], does: "Close the event", run: close },
  { keys: ["l"], does: "Live on or off", run: () => live.toggle() },
  { keys: ["r"], does: "Load again", run: load },
]);
// The first response sets the clock, which time ranges depend on.
try {
  await api.request("health");
} catch {
  // The next request fails as well, and is reported.
}
await onChange();
