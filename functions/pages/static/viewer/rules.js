// The page of alert rules: their state, when they last fired, and what can be done with them.

import { byId, el } from "./dom.js";
import { duration, visible } from "./format.js";
import { say } from "./language.js";
import { ManagedPage, nameCell } from "./managed-page.js";
import { ruleForm } from "./rule-form.js";
import { received } from "./time-zone.js";

export class RulesPage extends ManagedPage {
  #form;

  constructor(api, onSignedIn) {
    const columns = ["manage.state", "rules.lastAlert"];
    super(api, onSignedIn, {
      name: "rules",
      path: "alert-rule",
      member: "alert_rules",
      id: "rule_id",
      columns,
      none: say("rules.none"),
      advice: say("rules.first"),
    });
    this.#form = ruleForm(api, (rule, isNew) => this.#saved(rule, isNew));
    byId("new-rule").addEventListener("click", () => this.#form.create());
  }

  cells(rule) {
    return [
      nameCell(rule, summary(rule)),
      el("td", {}, el("span", { class: `state ${rule.state}` }, say(`manage.state.${rule.state}`))),
      el("td", {}, rule.last_alert_at ? this.#alerts(rule) : el("span", { class: "muted" }, say("rules.never"))),
    ];
  }

  /** The acts in the row, and those in its menu. */
  acts(rule) {
    const state = rule.state === "active" ? "pause" : "resume";
    const shown = {
      edit: () => this.attempt(() => this.#form.edit(this.pathOf(rule), true)),
      [state]: () => this.setState(rule, state),
    };
    return [shown, { delete: () => this.remove(rule, say("rules.deleteLoses")) }];
  }

  /** The time of the newest alert, which leads to all alerts of the rule. */
  #alerts(rule) {
    const query = { last: "all", event_type: "audit-log.alert", "event_data.subject": rule.rule_id };
    const onclick = () => {
      location.hash = new URLSearchParams(query).toString();
    };
    const name = say("rules.alertsOf", { name: visible(rule.name) });
    return el("button", { type: "button", class: "link", title: name, onclick }, received(rule.last_alert_at));
  }

  async #saved({ name }, isNew) {
    this.note(say(isNew ? "manage.created" : "manage.changed", { name: visible(name) }));
    await this.load();
  }
}

/** What a rule fires at, in words. */
function summary({ kind, threshold, window_seconds: seconds, path }) {
  if (kind === "first_seen") return say("rules.summary.first_seen", { path: visible(path) });
  const length = duration(seconds);
  return kind === "absence"
    ? say("rules.summary.absence", { window: length })
    : say("rules.summary.threshold", { count: threshold, window: length });
}
