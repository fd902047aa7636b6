// Tables and lists: state in, elements out.

import * as f from "./format.js";
const { el } = f;

const STATUS_TONE = { FILLED: "good", NEW: "info", PARTIALLY_FILLED: "info", TRIGGERED: "info", REJECTED: "bad", DEAD: "bad", UNKNOWN: "warn" };
const none = (columns, text) => el("tr", { class: "empty" }, el("td", { colspan: columns }, text));

export function positions(body, rows, pick) {
  if (!rows.length) return body.replaceChildren(none(9, "flat: no position is open"));
  body.replaceChildren(...rows.map((p) => el("tr", { onclick: () => pick(p.symbol) },
    el("td", {}, el("b", {}, p.symbol)),
    el("td", {}, el("span", { class: "tag " + (p.side === "long" ? "good" : "bad") }, `${p.side} ${p.leverage}×`)),
    el("td", { class: "n" }, f.amount(Math.abs(p.qty))),
    el("td", { class: "n" }, f.price(p.entry_price)),
    el("td", { class: "n" }, f.price(p.mark_price, p.entry_price)),
    el("td", { class: "n" }, p.stop ? f.price(p.stop, p.entry_price) : el("span", { class: "tag warn" }, "being placed")),
    el("td", { class: "n faint" }, f.price(p.liquidation_price, p.entry_price)),
    el("td", { class: "n " + f.tone(p.unrealized_pnl) }, f.signed(p.unrealized_pnl)),
    el("td", { class: "n " + f.tone(p.roi) }, f.percent(p.roi)),
  )));
}

export function orders(body, rows) {
  if (!rows.length) return body.replaceChildren(none(8, "no order yet"));
  body.replaceChildren(...rows.slice(0, 60).map((o) => el("tr", { title: o.reject ? o.reject.message : null },
    el("td", { class: "faint" }, f.clock(o.time)),
    el("td", {}, el("b", {}, o.symbol)),
    el("td", { class: o.side === "BUY" ? "up" : "down" }, o.side.toLowerCase()),
    el("td", {}, o.role),
    el("td", { class: "faint" }, f.words(o.type)),
    el("td", { class: "n" }, o.qty ? f.amount(o.qty) : "all"),
    el("td", { class: "n" }, f.price(o.fill?.price ?? o.price ?? o.trigger)),
    el("td", {}, el("span", { class: "tag " + (STATUS_TONE[o.status] ?? "") }, f.words(o.status))),
  )));
}

export function signals(list, rows) {
  if (!rows.length) return list.replaceChildren(el("li", { class: "nothing" }, "none yet"));
  list.replaceChildren(...rows.slice(0, 60).map((s) => {
    const tone = { approved: "good", refused: "bad", voided: "warn", pending: "" }[s.verdict];
    const failed = s.failures?.[0];
    const detail = failed
      ? failed.message
      : s.cause ?? `${s.strategy} · ${s.purpose} ${f.amount(s.qty)} · ${s.leverage}×` + (s.stop ? ` · stop ${f.price(s.stop, s.reference)}` : "");
    return el("li", {},
      el("time", {}, f.clock(s.time, false)),
      el("span", {}, el("b", {}, s.symbol), " ", el("span", { class: s.side === "BUY" ? "up" : "down" }, s.side.toLowerCase())),
      el("span", { class: "tag " + tone }, s.code ? f.words(s.code) : s.verdict),
      el("small", { title: detail }, detail));
  }));
}

export function events(list, rows) {
  if (!rows.length) return list.replaceChildren(el("li", { class: "nothing" }, "nothing has happened"));
  list.replaceChildren(...rows.slice(0, 60).map((e) => el("li", {},
    el("time", {}, f.clock(e.time, false)),
    el("span", {}, e.text),
    el("span", { class: "tag " + ({ critical: "bad", warning: "warn" }[e.severity] ?? "") }, f.words(e.code)))));
}

/** `before`: restarts by actor when last drawn, so that a new one is seen. */
export function tree(root, view, before, fail) {
  const rows = (view.groups ?? []).map((group) => el("div", { class: "group" },
    el("p", {}, el("b", {}, group.name), el("span", {}, f.words(group.strategy).replaceAll(" ", "-")), group.escalated ? el("span", { class: "tag bad" }, "escalated") : null, el("span", {}, group.intensity)),
    el("ul", { class: "actors" }, ...group.children.map((child) => {
      const last = child.last_failure;
      const key = group.name + "/" + child.name;
      const struck = before.has(key) && before.get(key) < child.restarts;
      before.set(key, child.restarts);
      const title = `${f.words(child.state)}, generation ${child.generation}` + (last ? `\nlast: ${last.text}${last.place ? " at " + last.place : ""}` : "");
      return el("li", { "data-state": child.state, class: struck ? "struck" : null, title },
        el("span", {}, child.name),
        child.restarts ? el("em", { "aria-label": `${child.restarts} restarts` }, "↻ " + child.restarts) : null,
        fail ? el("button", { type: "button", "aria-label": `Fail ${child.name}`, onclick: () => fail(child.name) }, "fail") : null);
    }))));
  root.replaceChildren(...rows);
}
