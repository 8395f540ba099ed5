// The head of a printed report: the question, its range, the result, and when and by whom it was printed.

import { byId, el } from "./dom.js";
import { fieldName, visible } from "./format.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";
import { exactMoment } from "./time-zone.js";
import { rangeText } from "./time-range.js";

/** Fill the head for the `view`. `result` is the line above the list, `proofs` one on the proofs, `who` the client. */
export function fillReport({ view, range, result, proofs, who, now }) {
  const rows = [
    [say("report.question"), question(view.filters)],
    [say("report.range"), rangeText(range)],
    [say("report.result"), result || say("list.none")],
    [say("report.proofs"), proofs],
    [say("report.printed"), who ? say("report.by", { time: exactMoment(now), who }) : exactMoment(now)],
    ...(isEmbedded ? [] : [[say("report.source"), location.href]]),
  ];
  byId("report").replaceChildren(
    el("h2", {}, visible(view.name ?? say("report.title"))),
    el("dl", {}, ...rows.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, el("bdi", {}, text))])),
  );
}

/** The filters in words: values of one field are alternatives, and all fields must match. */
function question(filters) {
  const fields = [...Map.groupBy(filters, ([name]) => name)].map(([name, of]) => {
    const values = of.map(([, value]) => visible(value)).join(say("report.or"));
    return say("report.is", { name: fieldName(name), values });
  });
  return fields.length ? say("report.where", { fields: fields.join(say("report.and")) }) : say("report.all");
}
