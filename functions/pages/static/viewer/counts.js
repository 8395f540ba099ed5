// The line above the list with the number of listed and matching events. The histogram shows the same total.

import { byId, el } from "./dom.js";
import { events } from "./format.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";
import { moment } from "./time-zone.js";

/** Choose between a page's total, exact up to 10,000, and an older summary's: {count, relation}. */
export function bestTotal(page, summary) {
  const counted = { count: page.total_count, relation: page.total_relation };
  if (counted.relation === "eq" || !summary) return counted;
  const summed = { count: summary.total_count, relation: summary.total_relation };
  return summed.relation === "eq" || summed.count > counted.count ? summed : counted;
}

/**
 * Show how many of `total` are listed. `isFromNewest`: the list begins with the newest; `searchedTo`: the second that
 * an unfinished search has reached, or null.
 */
export function showCount(listed, total, { isFromNewest, searchedTo }) {
  const all = events(total.count, total.relation);
  const areAll = total.relation === "eq" && listed >= total.count;
  const place = say(isFromNewest ? "list.newestFirst" : "list.around");
  byId("count").textContent = areAll ? all : say("list.listed", { listed, all, place });
  if (searchedTo !== null) {
    byId("count").textContent = say("list.searched", { events: events(listed), time: moment(searchedTo) });
  }
  byId("events").hidden = listed === 0;
  byId("empty").hidden = listed > 0;
  if (!listed && searchedTo === null) byId("count").textContent = "";
}

/** Count `more` late events that belong below the listed ones; null: the list is new. */
export function showBelow(more) {
  const box = byId("live-below");
  const count = more === null ? 0 : Number(box.dataset.count) + more;
  box.dataset.count = count;
  box.hidden = count === 0;
  box.textContent = say("list.below", { count });
}

/** Explain an empty list, with buttons that widen the view. `isUnfinished`: a search has not reached the end. */
export function showEmptiness(view, isUnfinished) {
  const ways = [];
  const showAll = () => view.set({ last: "all", start: null, end: null });
  if (view.last !== "all") ways.push(way(say("range.showAll"), showAll));
  if (view.filters.length) ways.push(way(say("filter.clear"), () => view.set({ filters: [] })));
  const none = isEmbedded ? "list.noneYet" : "list.noEvents";
  const advice = say(ways.length ? "list.noMatch" : none);
  byId("empty").replaceChildren(
    el("h2", {}, say("list.none")),
    el("p", { class: "muted" }, isUnfinished ? say("list.unfinished") : advice),
    el("p", {}, ...ways),
  );
}

function way(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
