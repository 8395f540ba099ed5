// Ranges of time: those with a name, and the steps from one range to the next. A range is {start, end} in Unix seconds,
// both included; null means no bound.

import { secondsAt, wallClock } from "./time-zone.js";

const DAY = 86_400;
export const MAX_SECONDS = 253_402_300_799; // the end of the year 9999, as in the API

/** Named ranges by their key in links. `seconds` is the length of those that end now, `days` gives calendar days. */
export const PRESETS = new Map([
  ["15m", { seconds: 900 }],
  ["1h", { seconds: 3600 }],
  ["24h", { seconds: DAY }],
  ["7d", { seconds: 7 * DAY }],
  ["30d", { seconds: 30 * DAY }],
  ["all", { seconds: null }],
  ["today", { days: (date) => [date, null] }],
  ["yesterday", { days: (date) => [plus(date, -1), date] }],
  ["last-week", { days: (date) => [plus(date, -7 - weekday(date)), plus(date, -weekday(date))] }],
]);

/** Return the range of a preset at `now`; calendar days are those of the chosen time zone, weeks begin on Monday. */
export function presetRange(key, now) {
  const { seconds, days } = PRESETS.get(key);
  if (days) {
    const [from, to] = days(wallClock(now).slice(0, 10));
    return { start: secondsAt(from), end: to === null ? now : secondsAt(to) - 1 };
  }
  return seconds === null ? { start: null, end: null } : { start: now - seconds, end: now };
}

/** Return the window before (`by` -1) or after (1) a range, of the same length, or null if there is none. */
export function shifted({ start, end }, by) {
  if (start === null || end === null) return null;
  const length = end - start + 1;
  return clamped(start + by * length, end + by * length);
}

/** Return the range three times as long around the same middle, or null if it has an open end. */
export function zoomedOut({ start, end }) {
  if (start === null || end === null) return null;
  const length = end - start + 1;
  return clamped(start - length, end + length);
}

/** Return the range of `seconds` before and after a time. */
export function around(time, seconds) {
  return clamped(time - seconds, time + seconds);
}

function clamped(start, end) {
  if (end < 0 || start > MAX_SECONDS) return null;
  return { start: Math.max(0, start), end: Math.min(MAX_SECONDS, end) };
}

/** Move a date, such as 2026-01-31, by days. */
function plus(date, days) {
  return new Date(Date.parse(date) + days * DAY * 1000).toISOString().slice(0, 10);
}

/** Days since Monday. */
function weekday(date) {
  return (new Date(date).getUTCDay() + 6) % 7;
}
