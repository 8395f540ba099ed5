// The form of an alert rule, and its preview over the newest events of the log.

import { byId, el } from "./dom.js";
import { events, visible, visibleJson } from "./format.js";
import { say } from "./language.js";
import { customersOf, definitionForm, lines } from "./managed-form.js";
import { received } from "./time-zone.js";

const UNITS = [86_400, 3600, 60, 1];
const WITH_WINDOW = new Set(["threshold", "absence"]);
const SHOWN_ALERTS = 10;

/** Set up the form of a rule; see definitionForm(). */
export function ruleForm(api, saved) {
  const rule = definitionForm(api, "rule-form", { texts: "rules", path: "alert-rule", define, fill, saved });
  const { form, clear, show } = rule.dialog;
  const shown = byId("rule-preview");
  byId("rule-form").addEventListener("close", () => shown.replaceChildren());
  form.addEventListener("input", () => shown.replaceChildren()); // it was that of another rule
  byId("preview-rule").addEventListener("click", async () => {
    if (!form.reportValidity()) return;
    clear();
    shown.replaceChildren(say("rules.looking"));
    try {
      shown.replaceChildren(...preview(await api.send("POST", "alert-rule/preview", define(form))));
    } catch (error) {
      shown.replaceChildren();
      show(error);
    }
  });
  return rule;
}

/** A window in its largest unit without a fraction: the number, and the seconds of the unit. */
export function windowOf(seconds) {
  const unit = UNITS.find((one) => seconds % one === 0);
  return [seconds / unit, unit];
}

function fill({ elements }, rule) {
  elements.group_by.value = rule.group_by.join("\n");
  elements.threshold.value = rule.threshold ?? "";
  if (rule.window_seconds !== null) {
    [elements.window_seconds.value, elements.unit.value] = windowOf(rule.window_seconds).map(String);
  }
  elements.path.value = rule.path ?? "";
  elements.forget_days.value = rule.forget_days ?? "";
}

/** Build the body of POST /alert-rule, PUT and the preview. Throws FieldError. */
function define(form) {
  const field = (name) => form.elements[name].value.trim();
  const whole = (name) => (field(name) ? Number(field(name)) : null);
  const kind = field("kind");
  return {
    name: field("name"),
    kind,
    filter: field("filter"),
    group_by: lines(field("group_by")),
    threshold: kind === "threshold" ? whole("threshold") : null,
    window_seconds: WITH_WINDOW.has(kind) ? whole("window_seconds") * Number(field("unit")) : null,
    path: kind === "first_seen" ? field("path") : null,
    forget_days: kind === "first_seen" ? whole("forget_days") : null,
    customers: customersOf(form),
  };
}

/** What the preview found: the sum, and the first alerts with their keys, which come from events. */
function preview({ entries, matched, alert_count: count, alerts }) {
  const looked = entries === null ? "" : say("rules.looked", { count: entries });
  const sum = say(count ? "rules.wouldFire" : "rules.wouldNot", { count, matched: events(matched) });
  const left = count - Math.min(alerts.length, SHOWN_ALERTS);
  return [
    el("p", {}, [looked, sum].filter(Boolean).join(" ")),
    el("ul", { hidden: !count }, ...alerts.slice(0, SHOWN_ALERTS).map(item)),
    el("p", { class: "muted small", hidden: left <= 0 }, say("facets.more", { count: left })),
  ];
}

function item({ last, key }) {
  const values = Object.entries(key).map(([name, value]) =>
    el(
      "span",
      { class: "key-value" },
      visible(name.replace(/^event_data\./u, "")),
      " ",
      el("b", {}, shownValue(value)),
    ),
  );
  return el("li", {}, el("span", { class: "muted" }, received(last)), ...values);
}

/** A value of an event, cut if it is long. */
function shownValue(value) {
  const text = typeof value === "string" ? visible(value) : visibleJson(JSON.stringify(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
