// Messages on their way: kept in the browser until the server has them, and sent again by themselves.
//
// An entry is {message_id, text, language, at, state, note, care}; its state is "waiting" (for its turn or the
// connection), "sending" or "failed"; care is what the server said to it without being able to keep it. The same
// message_id on every try lets the server take it only once.

import { read, write } from "./i18n.js";
import { Refusal, Unreachable, sendMessage } from "./api.js";

const KEY = "attune.outbox";
const AT_ONCE = 3; // messages being sent; a slow answer must not hold up the next message
const APART_MS = 250; // between two, so that they arrive in order
const BACK_OFF_MS = [1500, 3000, 6000, 12_000, 30_000];

export class Outbox {
  constructor({ onChange, onAnswer, onConnection, onCare }) {
    this.onChange = onChange;
    this.onAnswer = onAnswer;
    this.onConnection = onConnection;
    this.onCare = onCare;
    this.entries = this.#restore();
    this.isOpen = false; // nothing is sent before the page has its session
    this.misses = 0;
    this.timer = null;
  }

  get isSending() {
    return this.entries.some((entry) => entry.state === "sending");
  }

  open() {
    this.isOpen = true;
    this.flush();
  }

  add(text, language) {
    this.entries.push({ message_id: newId(), text, language, at: Date.now() / 1000, state: "waiting", note: "" });
    this.#changed();
    this.#next();
  }

  retry(messageId) {
    const entry = this.#find(messageId);
    if (!entry) return;
    Object.assign(entry, { state: "waiting", note: "" });
    this.#changed();
    this.flush();
  }

  discard(messageId) {
    this.entries = this.entries.filter((entry) => entry.message_id !== messageId);
    this.#changed();
  }

  // The server has it: seen in the history or the live stream.
  delivered(messageId) {
    const entry = this.#find(messageId);
    if (entry && entry.state !== "sending") this.discard(messageId);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.#next();
  }

  #next() {
    if (!this.isOpen || this.timer) return;
    if (this.entries.filter((entry) => entry.state === "sending").length >= AT_ONCE) return;
    const entry = this.entries.find((candidate) => candidate.state === "waiting");
    if (!entry) return;
    this.#send(entry);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#next();
    }, APART_MS);
  }

  async #send(entry) {
    Object.assign(entry, { state: "sending", note: "" });
    this.#changed();
    try {
      const answer = await sendMessage(entry);
      this.misses = 0;
      this.entries = this.entries.filter((other) => other !== entry);
      this.onConnection(true);
      this.onAnswer(answer);
      this.#changed();
      this.#next();
    } catch (error) {
      this.#missed(entry, error);
    }
  }

  #missed(entry, error) {
    if (error instanceof Refusal && error.isFinal) {
      Object.assign(entry, { state: "failed", note: error.message, code: error.code });
      this.#changed();
      this.#next();
      return;
    }
    const isAway = error instanceof Unreachable;
    if (error.care && !entry.care) {
      entry.care = error.care;
      this.onCare(entry.care);
    }
    Object.assign(entry, { state: "waiting", note: isAway ? "queued" : "later" });
    if (isAway) this.onConnection(false);
    const pause = BACK_OFF_MS[Math.min(this.misses, BACK_OFF_MS.length - 1)];
    this.misses += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), Math.max(pause, (error.retryAfterS || 0) * 1000));
    this.#changed();
  }

  #find(messageId) {
    return this.entries.find((entry) => entry.message_id === messageId);
  }

  #changed() {
    write(KEY, JSON.stringify(this.entries));
    this.onChange();
  }

  #restore() {
    try {
      const kept = JSON.parse(read(KEY) || "[]");
      return kept
        .filter((entry) => typeof entry.message_id === "string" && typeof entry.text === "string")
        .map((entry) => ({ ...entry, state: entry.state === "failed" ? "failed" : "waiting" }));
    } catch {
      return [];
    }
  }
}

// A random UUID, also where the page isn't served over TLS and crypto.randomUUID is missing.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
