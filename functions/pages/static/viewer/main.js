// Entry point: connects the parts of the page, and fetches and shows what changes in the view.

import { Api } from "./api.js";
import { chips } from "./chips.js";
import { bestTotal, showCount, showEmptiness } from "./counts.js";
import { byId, keepFocus } from "./dom.js";
import { exporting } from "./export.js";
import { Filters } from "./filters.js";
import { visible } from "./format.js";
import { Histogram } from "./histogram.js";
import { keyboard } from "./keyboard.js";
import { liveTail } from "./live.js";
import { OpenEvent } from "./open-event.js";
import { Problem } from "./problem.js";
import { Results } from "./results.js";
import { signInDialog } from "./sign-in.js";
import { theme } from "./theme.js";
import { timeRange } from "./time-range.js";
import { View } from "./view.js";

const SUMMARY_SHARE = 10; // the live tail spends at most a tenth of the time on summaries

theme();
const view = new View();
const api = new Api(signInDialog((path, options) => api.request(path, options)));
const filters = new Filters(view);
const results = new Results((eventId) => view.set({ event: eventId }));
const openEvent = new OpenEvent(view, results, (id) => api.get(`event/${encodeURIComponent(id)}`, []));
const histogram = new Histogram((start, end) => view.set({ last: null, start, end }));
const live = liveTail(poll);
const exports = exporting(api, () => view.parameters(api.now));
const showRange = timeRange(view);
const problem = new Problem({
  retry: load,
  signOut,
  allTime: () => view.set({ last: "all", start: null, end: null }),
});
chips(view);

let loading = new AbortController();
let listed = ""; // key() of the events shown
let parameters = []; // parameters that `cursor` is valid for
let range = { start: null, end: null }; // range of the listed events
let cursor = null;
let summary = null;
let summaryDue = 0; // when a summary may be renewed, by performance.now()
let isSummaryOld = false; // it misses events that the list has

/** Fetch the view's newest events and its summary. */
async function load() {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  document.body.classList.add("loading");
  try {
    if (listed !== key()) clear(); // otherwise the old content stays until the new arrives
    await api.signedIn(); // before parameters(), because signing in takes time and a preset ends now
    showWho();
    if (!view.isRangeChosen) await chooseRange(signal);
    listed = key();
    ask(api.now);
    const [page] = await Promise.all([api.get("event", parameters, signal), summarize(signal)]);
    keepFocus(
      () => {
        results.replace(page.events);
        cursor = page.next_cursor;
        showPage(page);
        results.restoreFocus();
      },
      () => byId("results"),
    );
    problem.clear();
  } catch (error) {
    problem.show(error);
  } finally {
    if (!signal.aborted) document.body.classList.remove("loading");
  }
}

/** Choose a range that has events, for a URL that names none. */
async function chooseRange(signal) {
  const { now } = api;
  const newest = [...view.filters, ["timestamp_end_utc", String(now)], ["limit", "1"]];
  const [event] = (await api.get("event", newest, signal)).events;
  view.chooseRange(event?.timestamp_utc ?? null, now);
}

function ask(now) {
  parameters = view.parameters(now);
  range = view.range(now);
  showRange(range);
}

async function loadMore() {
  const button = byId("more");
  if (button.ariaDisabled === "true") return; // disabling it would lose the focus
  button.ariaDisabled = "true";
  try {
    const page = await api.get("event", [...parameters, ["cursor", cursor]], loading.signal);
    keepFocus(
      () => {
        results.append(page.events);
        cursor = page.next_cursor;
        showPage(page);
      },
      () => results.focus(page.events[0]?.event_id),
    );
    problem.clear();
  } catch (error) {
    problem.show(error);
  } finally {
    button.ariaDisabled = "false";
  }
}

/** Insert events stored since the last poll. If a whole page is new, some may be missing in between: load again. */
async function poll() {
  try {
    const { now } = api;
    const { signal } = loading;
    const page = await api.get("event", view.parameters(now), signal);
    const isNew = page.events.filter((event) => !results.find(event.event_id));
    if (isNew.length && isNew.length === page.events.length && results.events.length) {
      await load();
      return;
    }
    range = view.range(now);
    showRange(range);
    if (range.start !== null) results.removeBefore(range.start);
    results.insert(isNew);
    isSummaryOld ||= isNew.length > 0;
    if (isSummaryOld && performance.now() >= summaryDue) await summarize(signal, view.parameters(now));
    showPage(page);
    problem.clear();
  } catch (error) {
    problem.show(error);
    throw error;
  }
}

async function summarize(signal, of = parameters) {
  const began = performance.now();
  isSummaryOld = false;
  summary = await api.get("event/summary", of, signal);
  summaryDue = performance.now() + SUMMARY_SHARE * (performance.now() - began);
  histogram.show(summary);
  filters.suggest(summary.frequent);
}

function showPage(page) {
  const total = bestTotal(page, summary);
  const count = results.events.length;
  showCount(count, total);
  histogram.showTotal(total);
  if (!count) showEmptiness(view);
  byId("more").hidden = cursor === null;
  filters.learn(results.events, cursor === null);
  openEvent.place(list());
}

/** Properties of the list for the explanation of an event that is not in it. */
function list() {
  return { range, areAll: cursor === null };
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
  problem.clear();
  openEvent.forget();
  listed = "";
  byId("who").textContent = "";
  byId("sign-out").hidden = true;
  onChange();
}

function clear() {
  summary = null;
  results.replace([]);
  histogram.show(null);
  for (const id of ["more", "empty", "events"]) byId(id).hidden = true;
  byId("count").textContent = "";
}

function key() {
  return JSON.stringify([view.last, view.parameters(0)]);
}

async function onChange() {
  if (key() !== listed || !view.isRangeChosen) await load();
  await openEvent.show(list);
}

function step(by) {
  const id = results.step(by);
  if (id && view.event) view.set({ event: id });
}

byId("sign-out").addEventListener("click", signOut);
byId("more").addEventListener("click", loadMore);
view.addEventListener("change", onChange);
addEventListener("beforeprint", () => results.showInFull(true));
addEventListener("afterprint", () => results.showInFull(false));
keyboard([
  { keys: ["/"], does: "Add a filter", run: () => filters.focus(), inList: true },
  { keys: ["j"], does: "Next event", run: () => step(1), inList: true },
  { keys: ["k"], does: "Previous event", run: () => step(-1), inList: true },
  { keys: ["Escape"], does: "Close the event", run: () => openEvent.close() },
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
