// Numbers, times and elements as text. Nothing from outside ever becomes markup.

const groups = new Map();

function formatter(digits, least) {
  const key = digits * 100 + least;
  if (!groups.has(key)) groups.set(key, new Intl.NumberFormat("en-US", { maximumFractionDigits: digits, minimumFractionDigits: least }));
  return groups.get(key);
}

export const missing = "–";

/** Decimals that suit a price of this size. */
export function placesOf(price) {
  const size = Math.abs(price);
  if (size >= 10000) return 1;
  if (size >= 100) return 2;
  if (size >= 1) return 4;
  return 5;
}
export const price = (value, like = value) => (value == null ? missing : formatter(placesOf(like), placesOf(like)).format(value));
export const money = (value, digits = 2) => (value == null ? missing : formatter(digits, digits).format(value));
export const amount = (value) => (value == null ? missing : formatter(6, 0).format(value));
export const signed = (value, digits = 2) => (value == null ? missing : (value > 0 ? "+" : value < 0 ? "−" : "") + money(Math.abs(value), digits));
export const percent = (share, digits = 2) => (share == null ? missing : signed(share * 100, digits) + " %");
export const tone = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");

export function compact(value) {
  if (value == null) return missing;
  for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "K"]]) if (Math.abs(value) >= size) return formatter(2, 0).format(value / size) + " " + letter;
  return formatter(2, 0).format(value);
}

const two = (n) => String(n).padStart(2, "0");
export function clock(ms, seconds = true) {
  if (!ms) return missing;
  const d = new Date(ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${seconds ? ":" + two(d.getUTCSeconds()) : ""}`;
}
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export function day(ms) {
  const d = new Date(ms);
  return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`;
}
export const words = (text) => String(text ?? "").toLowerCase().replaceAll("_", " ");

/** An element with attributes and children; text stays text. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c != null));
  return node;
}
export const byId = (id) => document.getElementById(id);
export function facts(list, rows) {
  list.replaceChildren(...rows.map(([name, value, cls]) => el("div", {}, el("dt", {}, name), el("dd", { class: cls || null }, value))));
}
