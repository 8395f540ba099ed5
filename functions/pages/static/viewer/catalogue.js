// The catalogue of event types: titles, sentences and field paths that the operator wrote, fetched once.

const PLACEHOLDER = /\{([^{}]*)\}/u;

let types = new Map();
let fetching = null;

/** Fetch the catalogue of the service, once. Without one, events are described as they are. */
export function describeTypes(api) {
  fetching ??= fetchTypes(api);
  return fetching;
}

async function fetchTypes(api) {
  try {
    const catalogue = await api.cached("catalogue");
    types = new Map(catalogue.types.map((type) => [type.event_type, type]));
  } catch {
    fetching = null; // the next load tries again; what fails for the list as well is reported
  }
}

/** The paths where events of a type have a field, best first: those of the catalogue, then `usual`. */
export function pathsOf(eventType, name, usual) {
  const paths = types.get(eventType)?.fields;
  return paths && Object.hasOwn(paths, name) ? [...paths[name], ...usual] : usual;
}

/** Whether the catalogue names paths of a field for a type. */
export function isMapped(eventType, name) {
  return Object.hasOwn(types.get(eventType)?.fields ?? {}, name);
}

/** The title of a type in the language of the page, or null. */
export function titleOf(eventType) {
  const type = types.get(eventType);
  return type ? (inLanguage(type.titles) ?? type.title) : null;
}

/**
 * The sentence of a type, filled in: [{name, text}], where `name` is null for words of the sentence. `valueOf(name)` is
 * the text of a field or path, or null. Null without a sentence, or if the event lacks one of its values.
 */
export function filledSentence(eventType, isFailure, valueOf) {
  const type = types.get(eventType);
  const sentence = type && inLanguage(isFailure ? type.failures : type.sentences);
  if (!sentence) return null;
  const parts = sentence
    .split(PLACEHOLDER) // words and names in turn
    .map((text, place) => (place % 2 ? { name: text, text: valueOf(text) } : { name: null, text }));
  return parts.some(({ text }) => text === null) ? null : parts.filter(({ text }) => text);
}

/** The text in the language of the page, else in English, else in the first language. */
function inLanguage(texts) {
  const { lang } = document.documentElement;
  const found = [lang, lang.split("-", 1)[0], "en"].find((each) => Object.hasOwn(texts, each));
  return texts[found] ?? Object.values(texts)[0] ?? null;
}
