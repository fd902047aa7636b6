// The live link: one WebSocket, opened again when it falls, resumed where it stopped.

const KEY = "fulmar-token";
export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
};

/** Calls the REST API; throws an Error with the API's own sentence. */
export async function call(path, options = {}) {
  const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}) };
  if (token.get()) headers.Authorization = "Bearer " + token.get();
  const answer = await fetch("/api/v1/" + path, { ...options, headers });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.message || answer.statusText), { status: answer.status });
  return body;
}

export class Link {
  /** onFrame(channel, frame), onState("open" | "lost") */
  constructor(onFrame, onState) {
    this.onFrame = onFrame;
    this.onState = onState;
    this.wanted = new Map();
    this.delay = 250;
    this.open();
  }

  open() {
    const secret = token.get() ? "?token=" + encodeURIComponent(token.get()) : "";
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/ws${secret}`);
    this.socket = socket;
    socket.onopen = () => {
      this.delay = 250;
      this.onState("open");
      for (const channel of this.wanted.keys()) this.ask(channel);
    };
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.onState("lost");
      setTimeout(() => this.open(), this.delay * (0.75 + Math.random() / 2));
      this.delay = Math.min(this.delay * 2, 5000);
    };
  }

  take(frame) {
    if (!frame.type.endsWith("_update")) return;
    const channel = frame.type.slice(0, -7);
    const want = this.wanted.get(channel);
    if (!want) return;
    // After a change of symbol, frames of the former one may still be under way: the snapshot ends them.
    if (want.fresh && !frame.snapshot) return;
    want.fresh = false;
    want.from = frame.seq;
    if (frame.stream) want.stream = frame.stream;
    this.onFrame(channel, frame);
  }

  ask(channel) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const { symbols, from, stream, fresh } = this.wanted.get(channel);
    const data = { channel };
    if (symbols) data.symbols = symbols;
    if (!fresh && from != null && stream) Object.assign(data, { from, stream });
    this.socket.send(JSON.stringify({ type: "subscribe", data }));
  }

  subscribe(channel, symbols) {
    this.wanted.set(channel, { symbols, fresh: true });
    this.ask(channel);
  }
}
