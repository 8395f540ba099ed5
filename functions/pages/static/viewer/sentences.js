// A sentence for an event, from its conventional fields and the words of its type.

import { fieldOf, targetsOf, verdictOf } from "./conventional.js";

const SHOWN_TARGETS = 3;

// The past and the infinitive of actions, and of the last words of event types.
const VERBS = new Map([
  ["login", ["logged in", "log in"]],
  ["logout", ["logged out", "log out"]],
  ["create", ["created", "create"]],
  ["read", ["read", "read"]],
  ["update", ["updated", "update"]],
  ["delete", ["deleted", "delete"]],
  ["created", ["created", "create"]],
  ["updated", ["updated", "update"]],
  ["changed", ["changed", "change"]],
  ["deleted", ["deleted", "delete"]],
  ["removed", ["removed", "remove"]],
  ["added", ["added", "add"]],
  ["opened", ["opened", "open"]],
  ["closed", ["closed", "close"]],
  ["paid", ["paid", "pay"]],
  ["sent", ["sent", "send"]],
  ["enabled", ["enabled", "enable"]],
  ["disabled", ["disabled", "disable"]],
  ["exported", ["exported", "export"]],
  ["granted", ["granted", "grant"]],
  ["revoked", ["revoked", "revoke"]],
]);
const INTRANSITIVE = new Set(["login", "logout"]);

/**
 * Describe an event: {actor, words, targets}, or null if it names neither an actor nor a target. Read in this order
 * they are a sentence: `Ada` `failed to create export` `customers`. `actor` is null for an event without one.
 */
export function sentenceOf(event) {
  const actor = fieldOf(event, "actor")?.label ?? null;
  const targets = targetsOf(event);
  if (actor === null && !targets.length) return null;
  return { actor, words: wordsOf(event, actor !== null), targets: listed(targets) };
}

/** The sentence as text, or null. */
export function sentenceText(event) {
  const sentence = sentenceOf(event);
  return sentence && [sentence.actor, sentence.words, sentence.targets].filter(Boolean).join(" ");
}

function wordsOf(event, hasActor) {
  const parts = event.event_type.split(/[._:/\s-]+/u).filter(Boolean);
  const last = parts.at(-1) ?? "";
  const action = fieldOf(event, "action")?.label ?? "";
  const failed = verdictOf(event) === "failure";
  const verb = VERBS.get(last) ?? VERBS.get(action.toLowerCase());
  if (!hasActor || !verb) {
    const said = action && !parts.includes(action) ? `${action}: ${parts.join(" ")}` : parts.join(" ");
    return failed ? `failed: ${said}` : said;
  }
  const noun = parts.filter((part, place) => place < parts.length - 1 || !VERBS.has(part)).join(" ");
  const object = INTRANSITIVE.has(last) || INTRANSITIVE.has(action) ? "" : noun;
  const [past, infinitive] = verb;
  return `${failed ? `failed to ${infinitive}` : past} ${object}`.trim();
}

function listed(targets) {
  const left = targets.length - SHOWN_TARGETS;
  return targets.slice(0, SHOWN_TARGETS).join(", ") + (left > 0 ? ` and ${left} more` : "");
}
