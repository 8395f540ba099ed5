// A sentence for an event, from its conventional fields and the words of its type.

import { filledSentence, titleOf } from "./catalogue.js";
import { fieldOf, PATHS, targetsOf, verdictOf } from "./conventional.js";
import { say } from "./language.js";
import { isScalar, valueAt } from "./paths.js";

const SHOWN_TARGETS = 3;

// The verbs of actions, and of the last words of event types: names of texts.
const VERBS = new Map([
  ["login", "login"],
  ["logout", "logout"],
  ["create", "create"],
  ["created", "create"],
  ["read", "read"],
  ["update", "update"],
  ["updated", "update"],
  ["delete", "delete"],
  ["deleted", "delete"],
  ["changed", "change"],
  ["removed", "remove"],
  ["added", "add"],
  ["opened", "open"],
  ["closed", "close"],
  ["paid", "pay"],
  ["sent", "send"],
  ["enabled", "enable"],
  ["disabled", "disable"],
  ["exported", "export"],
  ["granted", "grant"],
  ["revoked", "revoke"],
]);
const INTRANSITIVE = new Set(["login", "logout"]);

/**
 * Describe an event: {parts} of the sentence in the catalogue, see filledSentence(), else {actor, words, targets}, or
 * null if it names neither an actor nor a target and its type has no title. Read in this order, actor, words and
 * targets are a sentence: `Ada` `failed to create export` `customers`. `actor` is null for an event without one.
 */
export function sentenceOf(event) {
  const parts = filledSentence(event.event_type, verdictOf(event) === "failure", (name) => valueOf(event, name));
  if (parts) return { parts };
  const actor = fieldOf(event, "actor")?.label ?? null;
  const targets = targetsOf(event);
  if (actor === null && !targets.length) {
    const text = titleOf(event.event_type);
    return text && { parts: [{ name: null, text }] };
  }
  const words = wordsOf(event, actor !== null);
  const isFollowed = actor !== null && targets.length > 0;
  return { actor, words: isFollowed ? say("sentence.followed", { words }) : words, targets: listed(targets) };
}

/** The sentence as text, or null. */
export function sentenceText(event) {
  const sentence = sentenceOf(event);
  if (sentence?.parts) return sentence.parts.map(({ text }) => text).join("");
  return sentence && [sentence.actor, sentence.words, sentence.targets].filter(Boolean).join(" ");
}

/** The text of a conventional field or at a path, or null. */
function valueOf(event, name) {
  if (name === "target") return listed(targetsOf(event)) || null;
  if (PATHS.has(name)) return fieldOf(event, name)?.label ?? null;
  const value = valueAt(event.event_data, name);
  if (value === undefined || value === null || !isScalar(value)) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function wordsOf(event, hasActor) {
  const parts = event.event_type.split(/[._:/\s-]+/u).filter(Boolean);
  const last = parts.at(-1) ?? "";
  const action = fieldOf(event, "action")?.label ?? "";
  const failed = verdictOf(event) === "failure";
  const verb = VERBS.get(last) ?? VERBS.get(action.toLowerCase());
  if (!hasActor || !verb) {
    const said = action && !parts.includes(action) ? `${action}: ${parts.join(" ")}` : parts.join(" ");
    return failed ? say("sentence.failed", { words: said }) : said;
  }
  const noun = parts.filter((part, place) => place < parts.length - 1 || !VERBS.has(part)).join(" ");
  const object = INTRANSITIVE.has(last) || INTRANSITIVE.has(action) ? "" : noun;
  const text = say(failed ? `verb.${verb}.failed` : `verb.${verb}`, { object });
  return object ? text : text.replace(/ {2,}/u, " ").trim();
}

function listed(targets) {
  const left = targets.length - SHOWN_TARGETS;
  const names = targets.slice(0, SHOWN_TARGETS).join(", ");
  return left > 0 ? say("sentence.more", { names, count: left }) : names;
}
