// Entry point: connects the parts of the page, and fetches and shows what changes in the view.

import { Api } from "./api.js";
import { describeTypes } from "./catalogue.js";
import { chips } from "./chips.js";
import { columnChoice } from "./columns.js";
import { showBelow, showCount, showEmptiness } from "./counts.js";
import { byId, keepFocus, toast } from "./dom.js";
import { EventList } from "./event-list.js";
import { exporting } from "./export.js";
import { facets } from "./facets.js";
import { FeedTail } from "./feed-tail.js";
import { filterLine } from "./filters.js";
import { visible } from "./format.js";
import { hostTokens, isEmbedded, renewTokens, reportHeight } from "./host.js";
import { keyboard } from "./keyboard.js";
import { KnownValues } from "./known-values.js";
import { languageChoice } from "./language-choice.js";
import { say, translatePage } from "./language.js";
import { Ledger } from "./ledger.js";
import { listEnds } from "./list-ends.js";
import { liveTail } from "./live.js";
import { OpenEvent } from "./open-event.js";
import { otherPages } from "./other-pages.js";
import { Overview } from "./overview.js";
import { printing } from "./printing.js";
import { Problem } from "./problem.js";
import { Results } from "./results.js";
import { endSession } from "./session.js";
import { sharing } from "./share.js";
import { signInDialog } from "./sign-in.js";
import { theme } from "./theme.js";
import { timeRange } from "./time-range.js";
import { onZone, zone } from "./time-zone.js";
import { View } from "./view.js";

const CONFLICT = 409;

translatePage();
theme();
languageChoice();
const view = new View();
const api = new Api(isEmbedded ? hostTokens() : signInDialog((path, options) => api.request(path, options)));
const known = new KnownValues();
const filters = filterLine(view, known);
const facetList = facets(view, known);
const list = new EventList(api);
const results = new Results((eventId) => view.set({ event: eventId }));
const ledger = new Ledger(api);
const service = {
  event: (id) => api.get(`event/${encodeURIComponent(id)}`, []),
  count: (path) => api.get("event/summary", [...view.parameters(api.now), ["by", `event_data.${path}`]]),
};
const openEvent = new OpenEvent(view, results, service, ledger);
const overview = new Overview(view, known, (path, query, signal) => api.get(path, query, signal));
const tail = new FeedTail((path, query, signal) => api.get(path, query, signal));
const live = liveTail(poll, () => tail.stop());
const exports = exporting(api, () => view.parameters(api.now));
const showRange = timeRange(view);
const problem = new Problem({
  retry: load,
  signOut: isEmbedded ? null : () => signOut(),
  allTime: () => view.set({ last: "all", start: null, end: null }),
});
const pages = otherPages(api, showWho);
chips(view);
columnChoice(view);
sharing(view);

let loading = new AbortController();
let listed = ""; // key() of the events shown
let parameters = []; // those of the listed events
let range = { start: null, end: null }; // range of the listed events
let columns = ""; // those that are shown

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
    const wanted = () => (live.isOn ? null : openEvent.wanted());
    const listing = Promise.all([list.load(parameters, wanted, signal), describeTypes(api)]).then(([loaded]) => loaded);
    const learnt = listing.then(({ events }) => learn(events));
    learnt.catch(() => null); // the failure of `listing` is reported
    const summing = overview.load(parameters, signal, learnt);
    const [{ page }] = await Promise.all([listing.then(showList), summing]);
    showPage(page);
    problem.clear();
  } catch (error) {
    if (!signal.aborted) tail.stop(); // it would insert into a list that may miss events
    problem.show(error);
  } finally {
    if (!signal.aborted) document.body.classList.remove("loading");
  }
}

/** Show a list that was just fetched, before the summaries, which are slower. */
function showList(loaded) {
  keepFocus(
    () => {
      results.replace(loaded.events);
      showBelow(null);
      showPage(loaded.page);
      results.restoreFocus();
    },
    () => byId("results"),
  );
  return loaded;
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

/** Insert the events stored since the last poll. The first poll begins the tail, and one that lost its place again. */
async function poll() {
  if (view.page !== "events") return;
  if (document.body.classList.contains("loading")) return; // the list may miss a new event
  const { signal } = loading;
  try {
    if (!tail.isStarted) await tail.start(signal);
    else if (!list.hasNewer && (await insertStored(signal))) return;
    if (!signal.aborted) await load();
  } catch (error) {
    if (error.status === CONFLICT) {
      tail.stop(); // an earlier state of the log was restored
      toast(visible(error.message));
    }
    problem.show(error);
    throw error;
  }
}

/** Insert what the tail has. Resolves to false if the list has to be loaded again. */
async function insertStored(signal) {
  const { now } = api;
  const stored = await tail.read(view.liveParameters(now), signal);
  if (stored === null) return false;
  if (signal.aborted) return true; // the list that replaces this one has them
  range = view.range(now);
  showRange(range);
  const removed = range.start === null ? 0 : results.removeBefore(range.start);
  const fresh = stored.filter((event) => !results.find(event.event_id));
  const below = results.insert(fresh, list.hasOlder);
  overview.add(fresh.length - removed);
  showBelow(below);
  await overview.renew(fresh.length + removed > 0, view.parameters(now), signal);
  showPage(null);
  problem.clear();
  return true;
}

/** Take values and paths from the listed events. */
function learn(events) {
  known.list(events, !list.hasOlder && !list.hasNewer);
}

/** Show the list and its totals; `page` is the newest one if it was just fetched. */
function showPage(page) {
  overview.showTotal(page);
  const count = results.events.length;
  showCount(count, overview.total, { isFromNewest: !list.hasNewer, searchedTo: list.searchedTo });
  if (!count) showEmptiness(view, list.hasOlder);
  byId("more").hidden = !list.hasOlder;
  byId("newer").hidden = !list.hasNewer;
  learn(results.events);
  facetList.show();
  openEvent.place(range);
}

function showWho() {
  if (isEmbedded) return; // the client is the backend of the host
  const { sub, customers } = api.claims;
  byId("who").textContent = sub
    ? visible(customers ? say("page.who", { name: sub, customers: customers.join(", ") }) : sub)
    : "";
  byId("sign-out").hidden = false;
  pages.showLinks();
}

async function signOut(everywhere = false) {
  let ended;
  try {
    ended = await endSession((path, options) => api.request(path, options), everywhere);
  } catch (error) {
    problem.show(error); // the session continues, so the page must not look signed out
    return;
  }
  api.signOut();
  exports.stop();
  if (live.isOn) live.toggle();
  filters.forget();
  known.forget();
  problem.clear();
  openEvent.forget();
  pages.forget();
  listed = "";
  byId("who").textContent = "";
  byId("sign-out").hidden = true;
  byId("signed-out").hidden = !ended.wasSession || ended.url !== null;
  onChange();
  if (ended.url !== null) location.assign(ended.url);
}

function clear() {
  overview.clear();
  results.replace([]);
  for (const id of ["more", "newer", "empty", "events", "facets"]) byId(id).hidden = true;
  byId("count").textContent = "";
}

function key() {
  return JSON.stringify([view.last, zone(), view.parameters(0)]);
}

async function onChange() {
  if (await pages.shown(view.page)) return;
  const shown = JSON.stringify(view.columns);
  if (shown !== columns) results.showColumns(view.columns);
  columns = shown;
  if (key() !== listed || !view.isRangeChosen) await load();
  else if (overview.isOtherwiseDivided) await reported(overview.divide(loading.signal));
  await openEvent.show(() => range);
}

async function reported(work) {
  try {
    await work;
  } catch (error) {
    problem.show(error);
  }
}

/** Show all times again, in another time zone. */
async function onNewZone() {
  results.showColumns(view.columns);
  showRange(range);
  await (key() === listed ? reported(overview.refresh(loading.signal)) : load());
  await openEvent.refresh(() => range);
}

function step(by) {
  const id = results.step(by);
  if (id && view.event) view.set({ event: id });
}

byId("sign-out").addEventListener("click", () => signOut());
byId("sign-out-everywhere").addEventListener("click", () => signOut(true));
listEnds({ list, results, problem, signal: () => loading.signal, onAdded: () => showPage(null) });
printing({
  results,
  ledger,
  signal: () => loading.signal,
  head: () => ({
    view,
    range,
    result: byId("count").textContent,
    who: visible((isEmbedded ? api.claims.viewer : api.claims.sub) ?? ""),
    now: api.now,
  }),
});
onZone(onNewZone);
view.addEventListener("change", onChange);
keyboard([
  { keys: ["/"], does: say("keys.filter"), run: () => filters.focus(), inList: true },
  { keys: ["j"], does: say("keys.next"), run: () => step(1), inList: true },
  { keys: ["k"], does: say("keys.previous"), run: () => step(-1), inList: true },
  { keys: ["Escape"], does: say("keys.escape"), run: () => openEvent.close() },
  { keys: ["l"], does: say("keys.live"), run: () => live.toggle() },
  { keys: ["r"], does: say("keys.reload"), run: load },
]);
if (isEmbedded) {
  renewTokens(api);
  reportHeight();
}
// The first response sets the clock, which time ranges depend on.
try {
  await api.request("health");
} catch {
  // The next request fails as well, and is reported.
}
await onChange();
