// Two drawings on canvas: candles with what was traded on them, and a curve.

import * as f from "./format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

/** Sizes the canvas to its box and the screen's pixels; gives the context in CSS pixels. */
function prepare(canvas) {
  const box = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, box.width, box.height);
  g.font = FONT;
  return { g, w: box.width, h: box.height };
}

/** Round numbers that part a range into about `count` steps. */
function steps(low, high, count) {
  const rough = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * size).find((k) => k >= rough);
  const all = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) all.push(at);
  return all;
}

function later(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  };
}

export const LINES = ["accent", "amber", "violet", "blue"];

export class Candles {
  constructor(canvas) {
    this.canvas = canvas;
    Object.assign(this, { bars: [], overlays: [], fills: [], position: null, shown: 120, back: 0, cursor: null });
    this.redraw = later(() => this.draw());
    new ResizeObserver(this.redraw).observe(canvas);
    canvas.addEventListener("mousemove", (e) => this.move(e));
    canvas.addEventListener("mouseleave", () => { this.cursor = null; this.redraw(); });
    canvas.addEventListener("wheel", (e) => { e.preventDefault(); this.zoom(e.deltaY > 0 ? 1.12 : 0.89); }, { passive: false });
    canvas.addEventListener("pointerdown", (e) => { this.drag = { x: e.clientX, back: this.back }; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointerup", () => { this.drag = null; });
    canvas.addEventListener("keydown", (e) => {
      const act = { ArrowLeft: () => this.pan(8), ArrowRight: () => this.pan(-8), "+": () => this.zoom(0.85), "-": () => this.zoom(1.18), Home: () => this.pan(1e6), End: () => this.pan(-1e6) }[e.key];
      if (act) { e.preventDefault(); act(); }
    });
  }
  zoom(by) { this.shown = Math.min(300, Math.max(24, Math.round(this.shown * by))); this.pan(0); }
  pan(by) { this.back = Math.min(Math.max(0, this.bars.length - this.shown), Math.max(0, this.back + by)); this.redraw(); }
  move(e) {
    const box = this.canvas.getBoundingClientRect();
    this.cursor = { x: e.clientX - box.left, y: e.clientY - box.top };
    if (this.drag) { this.back = this.drag.back; this.pan(Math.round((e.clientX - this.drag.x) / (box.width / this.shown))); }
    this.redraw();
  }

  draw() {
    const { g, w, h } = prepare(this.canvas);
    const right = 76, bottom = 22, top = 22;
    const end = this.bars.length - this.back;
    // A narrow screen shows fewer bars, so that each can still be seen.
    const shown = Math.min(this.shown, Math.max(24, Math.floor((w - right) / 5)));
    const bars = this.bars.slice(Math.max(0, end - shown), end);
    if (!bars.length) {
      g.fillStyle = colour("faint");
      g.textAlign = "center";
      g.fillText("waiting for bars…", w / 2, h / 2);
      return;
    }
    const plotW = w - right, plotH = h - bottom, volumeH = plotH * 0.16;
    const slot = (plotW - 10) / shown;
    const body = Math.max(1, Math.min(13, slot * 0.68));
    const first = shown - bars.length;
    const x = (i) => (first + i + 0.5) * slot;
    let low = Math.min(...bars.map((b) => b.low)), high = Math.max(...bars.map((b) => b.high));
    const span = high - low || high * 0.001;
    const p = this.position;
    for (const level of p ? [p.stop, p.entry_price] : []) {
      if (level && level > low - span * 0.9 && level < high + span * 0.9) { low = Math.min(low, level); high = Math.max(high, level); }
    }
    const pad = (high - low || span) * 0.06;
    low -= pad; high += pad;
    const y = (v) => top + (1 - (v - low) / (high - low)) * (plotH - volumeH - top - 8);
    const times = new Map(bars.map((b, i) => [b.open_time, i]));
    const last = bars.at(-1);
    const length = bars.length > 1 ? bars[1].open_time - bars[0].open_time : 60000;

    // Grid and axes.
    g.lineWidth = 1;
    g.textBaseline = "middle";
    g.textAlign = "left";
    const tagged = [last.close, p?.entry_price, p?.stop].filter((v) => v).map(y);
    for (const level of steps(low, high, Math.max(3, Math.round(plotH / 62)))) {
      const at = Math.round(y(level)) + 0.5;
      if (at > plotH - volumeH || at < 20) continue;
      g.strokeStyle = colour("line");
      g.globalAlpha = 0.65;
      g.beginPath(); g.moveTo(0, at); g.lineTo(plotW, at); g.stroke();
      g.globalAlpha = 1;
      g.fillStyle = colour("faint");
      if (!tagged.some((t) => Math.abs(t - at) < 16)) g.fillText(f.price(level, last.close), plotW + 9, at);
    }
    g.textAlign = "center";
    const every = Math.max(1, Math.round(84 / slot));
    const round = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440].find((k) => k >= every) ?? 1440;
    bars.forEach((b, i) => {
      if (Math.round(b.open_time / length) % round || x(i) < 24) return;
      g.strokeStyle = colour("line");
      g.globalAlpha = 0.4;
      g.beginPath(); g.moveTo(Math.round(x(i)) + 0.5, 0); g.lineTo(Math.round(x(i)) + 0.5, plotH); g.stroke();
      g.globalAlpha = 1;
      g.fillStyle = colour("faint");
      g.fillText(b.open_time % 86400000 === 0 ? f.day(b.open_time) : f.clock(b.open_time, false), x(i), plotH + bottom / 2);
    });

    // Volume, then candles.
    const most = Math.max(...bars.map((b) => b.volume)) || 1;
    const [up, down] = [colour("up"), colour("down")];
    bars.forEach((b, i) => {
      g.fillStyle = b.close >= b.open ? up : down;
      g.globalAlpha = 0.2;
      const tall = (b.volume / most) * volumeH;
      g.fillRect(x(i) - body / 2, plotH - tall, body, tall);
      g.globalAlpha = b.closed === false ? 0.6 : 1;
      const middle = Math.round(x(i));
      g.fillRect(middle, y(b.high), 1, Math.max(1, y(b.low) - y(b.high)));
      const [from, to] = [y(Math.max(b.open, b.close)), y(Math.min(b.open, b.close))];
      g.fillRect(x(i) - body / 2 + 0.5, from, body, Math.max(1, to - from));
    });
    g.globalAlpha = 1;

    // Moving averages and the like.
    this.overlays.forEach((line, n) => {
      g.strokeStyle = colour(LINES[n % LINES.length]);
      g.lineWidth = 1.5;
      g.beginPath();
      let pen = false;
      bars.forEach((b, i) => {
        const v = line.values.get(b.open_time);
        if (v == null) { pen = false; return; }
        pen ? g.lineTo(x(i), y(v)) : g.moveTo(x(i), y(v));
        pen = true;
      });
      g.stroke();
    });

    // Levels of the position, then the last price.
    const tag = (level, text, ink, dashed, fill) => {
      const at = y(level);
      if (at < 2 || at > plotH - 2) return;
      g.strokeStyle = ink;
      g.lineWidth = 1;
      g.setLineDash(dashed);
      g.beginPath(); g.moveTo(0, Math.round(at) + 0.5); g.lineTo(plotW, Math.round(at) + 0.5); g.stroke();
      g.setLineDash([]);
      g.fillStyle = ink;
      g.beginPath(); g.roundRect(plotW + 3, at - 9, right - 6, 18, 4); g.fill();
      g.fillStyle = fill;
      g.textAlign = "left";
      g.fillText(f.price(level, last.close), plotW + 9, at + 0.5);
      if (text) {
        g.font = "600 " + FONT;
        const wide = g.measureText(text).width + 12;
        g.fillStyle = ink;
        g.globalAlpha = 0.9;
        g.beginPath(); g.roundRect(8, at - 9, wide, 18, 4); g.fill();
        g.globalAlpha = 1;
        g.fillStyle = fill;
        g.fillText(text, 14, at + 0.5);
        g.font = FONT;
      }
    };
    const paper = colour("card");
    if (p) {
      tag(p.entry_price, `${p.side} ${f.amount(Math.abs(p.qty))}`, colour("blue"), [2, 3], paper);
      if (p.stop) tag(p.stop, "stop", down, [6, 4], paper);
    }
    tag(last.close, "", last.close >= last.open ? up : down, [1, 3], paper);

    // Fills: a triangle at the price, pointing the way of the trade.
    for (const fill of this.fills) {
      const i = times.get(Math.floor(fill.time / length) * length);
      if (i == null) continue;
      const buy = fill.side === "BUY";
      const at = buy ? y(bars[i].low) + 9 : y(bars[i].high) - 9;
      const d = buy ? 1 : -1;
      g.fillStyle = buy ? up : down;
      g.strokeStyle = paper;
      g.lineWidth = 2;
      g.beginPath(); g.moveTo(x(i), at - 5 * d); g.lineTo(x(i) + 5.5, at + 5 * d); g.lineTo(x(i) - 5.5, at + 5 * d); g.closePath();
      g.stroke(); g.fill();
    }

    // Cross-hair and what is under it.
    let under = last;
    if (this.cursor && this.cursor.x < plotW) {
      const i = Math.min(bars.length - 1, Math.max(0, Math.floor(this.cursor.x / slot) - first));
      under = bars[i];
      g.strokeStyle = colour("dim");
      g.lineWidth = 1;
      g.setLineDash([3, 3]);
      g.beginPath(); g.moveTo(Math.round(x(i)) + 0.5, 0); g.lineTo(Math.round(x(i)) + 0.5, plotH); g.moveTo(0, this.cursor.y); g.lineTo(plotW, this.cursor.y); g.stroke();
      g.setLineDash([]);
      if (this.cursor.y < plotH - volumeH) {
        const level = low + (1 - (this.cursor.y - top) / (plotH - volumeH - top - 8)) * (high - low);
        g.fillStyle = colour("raised");
        g.beginPath(); g.roundRect(plotW + 3, this.cursor.y - 9, right - 6, 18, 4); g.fill();
        g.fillStyle = colour("text");
        g.textAlign = "left";
        g.fillText(f.price(level, last.close), plotW + 9, this.cursor.y);
      }
    }
    g.textAlign = "left";
    let at = 14;
    const write = (text, ink) => { g.fillStyle = ink; g.fillText(text, at, 12); at += g.measureText(text).width + 5; };
    write(`${f.day(under.open_time)} ${f.clock(under.open_time, false)}`, colour("faint"));
    for (const [name, key] of [["O", "open"], ["H", "high"], ["L", "low"], ["C", "close"]]) {
      write(" " + name, colour("faint"));
      write(f.price(under[key], last.close), under.close >= under.open ? up : down);
    }
    write(" Vol", colour("faint"));
    write(f.compact(under.volume), colour("text"));
  }
}

export class Curve {
  constructor(canvas) {
    this.canvas = canvas;
    this.points = [];
    this.redraw = later(() => this.draw());
    new ResizeObserver(this.redraw).observe(canvas);
  }
  draw() {
    const { g, w, h } = prepare(this.canvas);
    const points = this.points;
    if (points.length < 2) {
      g.fillStyle = colour("faint");
      g.textAlign = "center";
      g.fillText("waiting for the first points…", w / 2, h / 2);
      return;
    }
    const right = 66, bottom = 20, plotW = w - right, plotH = h - bottom;
    let low = Math.min(...points.map((p) => p.equity)), high = Math.max(...points.map((p) => p.equity));
    const pad = (high - low || Math.abs(high) * 0.0005 || 1) * 0.12;
    low -= pad; high += pad;
    const [from, to] = [points[0].time, points.at(-1).time];
    const x = (t) => ((t - from) / (to - from || 1)) * (plotW - 8);
    const y = (v) => (1 - (v - low) / (high - low)) * (plotH - 6) + 3;
    g.textBaseline = "middle";
    for (const level of steps(low, high, 4)) {
      const at = Math.round(y(level)) + 0.5;
      g.strokeStyle = colour("line");
      g.beginPath(); g.moveTo(0, at); g.lineTo(plotW, at); g.stroke();
      g.fillStyle = colour("faint");
      g.textAlign = "left";
      g.fillText(f.money(level, high - low < 4 ? 2 : high - low < 40 ? 1 : 0), plotW + 8, at);
    }
    g.textAlign = "center";
    for (let n = 1; n < 4; n++) {
      const t = from + ((to - from) * n) / 4;
      g.fillStyle = colour("faint");
      g.fillText(f.clock(t, false), x(t), plotH + bottom / 2);
    }
    const ink = colour(points.at(-1).equity >= points[0].equity ? "accent" : "down");
    const path = () => points.forEach((p, i) => (i ? g.lineTo(x(p.time), y(p.equity)) : g.moveTo(x(p.time), y(p.equity))));
    const fade = g.createLinearGradient(0, 0, 0, plotH);
    fade.addColorStop(0, ink + "55");
    fade.addColorStop(1, ink + "00");
    g.fillStyle = fade;
    g.beginPath(); path(); g.lineTo(x(to), plotH); g.lineTo(0, plotH); g.closePath(); g.fill();
    g.strokeStyle = ink;
    g.lineWidth = 1.8;
    g.lineJoin = "round";
    g.beginPath(); path(); g.stroke();
    g.lineWidth = 1;
    g.fillStyle = ink;
    g.beginPath(); g.arc(x(to), y(points.at(-1).equity), 3.5, 0, 7); g.fill();
    g.globalAlpha = 0.25;
    g.beginPath(); g.arc(x(to), y(points.at(-1).equity), 7, 0, 7); g.fill();
    g.globalAlpha = 1;
  }
}
