// The page: keeps what the channels say and draws it.

import * as f from "./format.js";
import { Candles, Curve, LINES } from "./chart.js";
import { Link, call, token } from "./link.js";
import * as panels from "./panels.js";
const { byId, el } = f;

const SITES = ["handler", "response_future", "atomic_response", "spawned", "run_later", "run_interval", "stream_item", "started", "restarting", "turn", "hang"];
const state = {
  symbol: null, timeframe: null, tickers: {}, bars: new Map(), rows: new Map(), positions: [], orders: [], signals: new Map(), events: [],
  equity: [], tree: {}, order: [], faults: false, onlyRefused: false, restarts: new Map(),
};
const candles = new Candles(byId("candles"));
const curve = new Curve(byId("curve"));

// Drawing is gathered: many frames a second, one drawing of each part a frame of the screen.
const dirty = new Set();
function draw(...parts) {
  if (!dirty.size) requestAnimationFrame(() => { const due = [...dirty]; dirty.clear(); for (const part of due) drawers[part](); });
  for (const part of parts) dirty.add(part);
}

const base = (symbol) => (symbol.endsWith("USDT") ? [symbol.slice(0, -4), "USDT"] : [symbol, ""]);

function toneBadge(id, text, tone) {
  const badge = byId(id);
  badge.dataset.tone = tone;
  badge.querySelector("b").textContent = text;
}

const drawers = {
  symbols() {
    const nav = byId("symbols");
    const place = (name) => (state.order.indexOf(name) + 1 || 1e6);
    const names = Object.keys(state.tickers).sort((a, b) => place(a) - place(b));
    if ([...nav.children].map((b) => b.dataset.symbol).join() !== names.join()) {
      nav.replaceChildren(...names.map((name) => el("button", { type: "button", "data-symbol": name, onclick: () => choose(name) },
        el("b", {}, base(name)[0], el("i", {}, base(name)[1])), el("span", { class: "held" }), el("span", { class: "last" }), el("span", { class: "chg" }))));
    }
    for (const button of nav.children) {
      const ticker = state.tickers[button.dataset.symbol];
      const held = state.positions.find((p) => p.symbol === button.dataset.symbol);
      button.setAttribute("aria-pressed", String(button.dataset.symbol === state.symbol));
      button.querySelector(".last").textContent = f.price(ticker.last);
      const change = button.querySelector(".chg");
      change.textContent = f.percent(ticker.change_24h);
      change.className = "chg " + f.tone(ticker.change_24h);
      const mark = button.querySelector(".held");
      mark.textContent = held ? held.side : "";
      mark.className = "held " + (held?.side ?? "");
    }
  },
  headline() {
    const t = state.tickers[state.symbol];
    if (!t) return;
    byId("chart-title").textContent = state.symbol;
    byId("chart-last").textContent = f.price(t.last);
    byId("chart-last").className = f.tone(t.change_24h);
    byId("chart-change").textContent = f.percent(t.change_24h);
    byId("chart-change").className = "pill " + f.tone(t.change_24h);
    f.facts(byId("chart-facts"), [
      ["Mark", f.price(t.mark, t.last)], ["High", f.price(t.high_24h, t.last)], ["Low", f.price(t.low_24h, t.last)], ["Volume", f.compact(t.quote_volume_24h)],
      ["Funding", t.funding_rate == null ? f.missing : f.percent(t.funding_rate, 4)], ["Feed", t.feed ?? f.missing],
    ]);
    document.title = `${f.price(t.last)} ${state.symbol} · Fulmar`;
  },
  chart() {
    const frames = [...state.bars.keys()];
    if (!frames.includes(state.timeframe)) state.timeframe = frames[0];
    const nav = byId("timeframes");
    if (nav.children.length !== frames.length) {
      nav.replaceChildren(...frames.map((name) => el("button", { type: "button", onclick: () => { state.timeframe = name; draw("chart"); } }, name)));
    }
    [...nav.children].forEach((b) => b.setAttribute("aria-pressed", String(b.textContent === state.timeframe)));
    candles.bars = [...(state.bars.get(state.timeframe)?.values() ?? [])].sort((a, b) => a.open_time - b.open_time);
    candles.fills = state.orders.filter((o) => o.fill && o.symbol === state.symbol).map((o) => ({ ...o.fill, side: o.side }));
    candles.position = state.positions.find((p) => p.symbol === state.symbol) ?? null;
    const rows = [...(state.rows.get(state.timeframe)?.values() ?? [])];
    const columns = rows.length ? Object.keys(rows.at(-1).values) : [];
    const onPrice = columns.filter((c) => /^(ema|sma|vwap|bbands|wma)/.test(c)).slice(0, LINES.length);
    candles.overlays = onPrice.map((name) => ({ name, values: new Map(rows.map((r) => [r.open_time, r.values[name]])) }));
    const others = columns.filter((c) => !onPrice.includes(c)).slice(0, 4);
    const newest = rows.at(-1)?.values ?? {};
    const number = (v, like) => (v == null ? f.missing : like ? f.price(v, like) : f.money(v, Math.abs(v) < 1 ? 4 : 2));
    const last = candles.bars.at(-1)?.close;
    byId("legend").replaceChildren(
      ...onPrice.map((name, n) => {
        const line = el("i");
        line.style.background = `var(--${LINES[n % LINES.length]})`;
        return el("span", {}, line, `${name} ${number(newest[name], last)}`);
      }),
      ...others.map((name) => el("span", {}, `${name} ${number(newest[name])}`)),
      el("span", {}, "▲ buy  ▼ sell"));
    byId("candles").setAttribute("aria-label", `Candles of ${state.symbol}, ${state.timeframe}: ${candles.bars.length} bars, last ${f.price(last)}; arrows move, plus and minus zoom`);
    candles.redraw();
  },
  positions() {
    panels.positions(byId("positions"), state.positions, choose);
    byId("positions-count").textContent = state.positions.length;
  },
  orders() {
    panels.orders(byId("orders"), state.orders.toReversed());
    byId("orders-count").textContent = state.orders.length;
  },
  signals() {
    const all = [...state.signals.values()].reverse();
    panels.signals(byId("signals"), state.onlyRefused ? all.filter((s) => s.verdict === "refused") : all);
  },
  events() { panels.events(byId("events"), state.events.toReversed()); },
  equity() {
    curve.points = state.equity;
    curve.redraw();
    const values = state.equity.map((p) => p.equity);
    if (!values.length) return;
    let peak = values[0], worst = 0;
    for (const v of values) { peak = Math.max(peak, v); worst = Math.max(worst, 1 - v / peak); }
    const gain = values.at(-1) / values[0] - 1;
    f.facts(byId("equity-facts"), [["Run", f.percent(gain), f.tone(gain)], ["Max drawdown", f.money(worst * 100) + " %"]]);
    byId("curve").setAttribute("aria-label", `Equity from ${f.money(values[0])} to ${f.money(values.at(-1))} USDT`);
  },
  tree() {
    panels.tree(byId("tree"), state.tree, state.restarts, state.faults ? fail : null);
    const sum = (state.tree.groups ?? []).flatMap((g) => g.children).reduce((n, c) => n + c.restarts, 0);
    byId("tree-restarts").textContent = `${sum} restart${sum === 1 ? "" : "s"}`;
    byId("site-label").hidden = !state.faults;
  },
};

const keep = (list, more, most) => { list.push(...more); if (list.length > most) list.splice(0, list.length - most); };

const takers = {
  ticker(frame) {
    if (frame.snapshot) state.tickers = frame.data;
    else Object.assign(state.tickers, frame.data);
    if (!state.symbol && Object.keys(state.tickers).length) {
      const asked = decodeURIComponent(location.hash.slice(1));
      choose(state.tickers[asked] ? asked : state.tickers.BTCUSDT ? "BTCUSDT" : Object.keys(state.tickers)[0]);
    }
    draw("symbols", "headline");
  },
  bars(frame) { series(state.bars, frame); draw("chart"); },
  indicators(frame) { series(state.rows, frame); draw("chart"); },
  positions(frame) { state.positions = frame.data; draw("positions", "chart", "symbols"); },
  orders(frame) { if (frame.snapshot) state.orders = []; keep(state.orders, frame.data, 500); draw("orders", "chart"); },
  signals(frame) {
    if (frame.snapshot) state.signals.clear();
    for (const s of frame.data) state.signals.set(s.id, s);
    while (state.signals.size > 300) state.signals.delete(state.signals.keys().next().value);
    draw("signals");
  },
  events(frame) { if (frame.snapshot) state.events = []; keep(state.events, frame.data, 300); draw("events"); refresh(); },
  equity(frame) { if (frame.snapshot) state.equity = []; keep(state.equity, frame.data, 8192); draw("equity"); },
  supervision(frame) { state.tree = frame.data.at(-1) ?? {}; draw("tree"); },
};

function series(all, frame) {
  if (frame.snapshot) all.clear();
  for (const item of frame.data) {
    if (item.symbol !== state.symbol) continue;
    if (!all.has(item.timeframe)) all.set(item.timeframe, new Map());
    const one = all.get(item.timeframe);
    one.set(item.open_time, item);
    if (one.size > 600) one.delete(one.keys().next().value);
  }
}

function choose(symbol) {
  if (symbol === state.symbol) return;
  state.symbol = symbol;
  history.replaceState(null, "", "#" + symbol);
  state.bars.clear();
  state.rows.clear();
  candles.back = 0;
  link.subscribe("bars", [symbol]);
  link.subscribe("indicators", [symbol]);
  draw("symbols", "headline", "chart");
}

let toastTimer;
function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("on"), 4000);
}

async function fail(actor) {
  try {
    await call(`supervision/${actor}/fault`, { method: "POST", body: JSON.stringify({ site: byId("site").value }) });
    toast(`${actor} was told to fail`);
  } catch (error) { toast(error.message); }
}

function ask() {
  const dialog = byId("ask");
  if (dialog.open) return;
  dialog.addEventListener("close", () => { token.set(byId("token").value); location.reload(); }, { once: true });
  dialog.showModal();
}

async function refresh() {
  try {
    const s = await call("status");
    byId("exchange").textContent = `${s.exchange} · v${s.version}`;
    const real = s.mode === "live";
    toneBadge("badge-mode", s.mode, real ? "warn" : "");
    const gate = s.gate.state ?? "unknown";
    toneBadge("badge-gate", f.words(gate), { open: "good", reduce_only: "warn" }[gate] ?? "bad");
    toneBadge("badge-role", s.role + (s.epoch ? ` · ${s.epoch}` : ""), { leader: "good", standby: "warn" }[s.role] ?? "bad");
    const held = s.gate.holds.map((h) => `${f.words(h.owner)}: ${h.cause}`).join(" · ");
    byId("banner").hidden = gate === "open" || !held;
    byId("banner").textContent = `Trading is ${gate === "halted" ? "halted" : "limited to orders that reduce"} — ${held}`;
    const b = s.balance;
    byId("fig-equity").textContent = f.money(b.equity);
    const share = b.day_start_equity ? b.day_pnl / b.day_start_equity : null;
    byId("fig-day").textContent = `${f.signed(b.day_pnl)} (${f.percent(share)})`;
    byId("fig-day").className = f.tone(b.day_pnl);
    byId("fig-open").textContent = f.signed(b.unrealized_pnl);
    byId("fig-open").className = f.tone(b.unrealized_pnl);
    byId("fig-time").textContent = s.market_time ? `${f.day(s.market_time)} ${f.clock(s.market_time)}` : f.missing;
    if (state.order.join() !== s.symbols.join()) { state.order = s.symbols; draw("symbols"); }
    if (state.faults !== s.faults_enabled) { state.faults = s.faults_enabled; draw("tree"); }
  } catch (error) { if (error.status === 401) ask(); }
}

for (const button of document.querySelectorAll("[data-signals]")) {
  button.addEventListener("click", () => {
    state.onlyRefused = button.dataset.signals === "refused";
    for (const b of document.querySelectorAll("[data-signals]")) b.setAttribute("aria-pressed", String(b === button));
    draw("signals");
  });
}
byId("site").replaceChildren(...SITES.map((s) => el("option", { value: s }, f.words(s))));

const theme = { get: () => localStorage.getItem("fulmar-theme"), set: (name) => localStorage.setItem("fulmar-theme", name) };
function paint(name) {
  document.documentElement.dataset.theme = name;
  candles.redraw();
  curve.redraw();
}
const system = matchMedia("(prefers-color-scheme: light)");
paint(theme.get() ?? (system.matches ? "light" : "dark"));
system.addEventListener("change", () => theme.get() || paint(system.matches ? "light" : "dark"));
byId("theme").addEventListener("click", () => { const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; theme.set(next); paint(next); });

const link = new Link((channel, frame) => takers[channel]?.(frame), (now) => toneBadge("badge-link", now === "open" ? "live" : "lost", now === "open" ? "good" : "bad"));
for (const channel of ["ticker", "positions", "equity", "events", "signals", "orders", "supervision"]) link.subscribe(channel);
refresh();
setInterval(refresh, 1000);
