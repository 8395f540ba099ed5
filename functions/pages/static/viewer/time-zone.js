// The time zone in which times are shown and entered: UTC, or the one that the user chose in this browser. Instants in
// links and requests are Unix seconds and do not depend on it.

import { language, locale } from "./language.js";
import { keepPreference, preference } from "./preferences.js";

const DATE = { year: "numeric", month: "2-digit", day: "2-digit" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const MINUTE = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
// English has two orders of day and month: its times have that of ISO 8601.
const IS_ISO = language === "en";
const formats = new Map();
const changes = new EventTarget();

/** Name of the chosen zone, such as `UTC` or `Europe/Berlin`. */
export function zone() {
  const name = preference("time-zone");
  return name && isKnown(name) ? name : "UTC";
}

export function chooseZone(name) {
  keepPreference("time-zone", name === "UTC" ? null : name);
  changes.dispatchEvent(new Event("change"));
}

/** Call `listener` after the user chose another zone. */
export function onZone(listener) {
  changes.addEventListener("change", listener);
}

/** List the zones to choose from: UTC, the system's, then all that the browser knows. */
export function zones() {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return [...new Set(["UTC", zone(), own, ...Intl.supportedValuesOf("timeZone")])].filter(isKnown);
}

/** Format Unix seconds as 2026-01-31 12:00:00 in the chosen zone, whatever the language. */
export function wallClock(seconds) {
  return wall(seconds, zone());
}

/** Format Unix seconds in the chosen zone by the language: 2026-01-31 12:00:00, or 31.01.2026, 12:00:00. */
export function moment(seconds) {
  return IS_ISO ? wallClock(seconds) : format(seconds * 1000, { ...DATE, ...CLOCK });
}

/** Format Unix seconds as short as the width of a histogram's bucket allows. */
export function tick(seconds, bucketSeconds) {
  const [from, to, parts] = tickParts(bucketSeconds);
  return IS_ISO ? wallClock(seconds).slice(from, to) : format(seconds * 1000, parts);
}

/** Format a time of the API, which is UTC with milliseconds. */
export function received(text) {
  return IS_ISO
    ? text.replace("T", " ")
    : format(Date.parse(text), { ...DATE, ...CLOCK, fractionalSecondDigits: 3 }, "UTC");
}

/** Format Unix seconds with the offset of the chosen zone: 2026-01-31 12:00:00 UTC+01:00. */
export function exactMoment(seconds) {
  const offset = offsetAt(seconds);
  const minutes = Math.round(Math.abs(offset) / 60);
  const clock = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":");
  const sign = offset < 0 ? "-" : "+";
  return `${moment(seconds)} UTC${offset ? sign + clock : ""}`;
}

/** Parse a time of the chosen zone, 2026-01-31T12:00:00 or 2026-01-31, to Unix seconds. Returns null if it is none. */
export function secondsAt(text) {
  const asUtc = Math.floor(Date.parse(`${text}${text.includes("T") ? "" : "T00:00:00"}Z`) / 1000);
  if (Number.isNaN(asUtc)) return null;
  // The offset of the guess, then that of the corrected guess, which crosses a change of clocks.
  return asUtc - offsetAt(asUtc - offsetAt(asUtc));
}

/** Seconds by which the chosen zone is ahead of UTC at a time. */
function offsetAt(seconds) {
  return Date.parse(`${wallClock(seconds).replace(" ", "T")}Z`) / 1000 - seconds;
}

function tickParts(bucketSeconds) {
  if (bucketSeconds >= 86_400) return [0, 10, DATE];
  return bucketSeconds >= 60 ? [5, 16, MINUTE] : [11, 19, CLOCK];
}

function format(milliseconds, parts, timeZone = zone()) {
  const key = JSON.stringify([timeZone, parts]);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, { timeZone, ...parts }));
  return formats.get(key).format(milliseconds);
}

function wall(seconds, name) {
  if (name === "UTC") return new Date(seconds * 1000).toISOString().slice(0, -5).replace("T", " ");
  return formatIn(name).format(seconds * 1000);
}

function formatIn(name) {
  if (!formats.has(name)) {
    // Sweden writes dates as ISO 8601 does.
    const part = "2-digit";
    const parts = { year: "numeric", month: part, day: part, hour: part, minute: part, second: part };
    formats.set(name, new Intl.DateTimeFormat("sv-SE", { timeZone: name, ...parts }));
  }
  return formats.get(name);
}

function isKnown(name) {
  try {
    return name === "UTC" || Boolean(formatIn(name));
  } catch {
    return false;
  }
}
