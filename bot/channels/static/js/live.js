// What comes by itself: new turns, readings and the state of a handoff, over one event stream.

const LOST_AFTER_MS = 2500; // shorter breaks are not worth a word
const AGAIN_MS = [1000, 2000, 4000, 8000, 15_000];

export class Live {
  constructor({ onTurn, onReading, onHandoff, onLost, onBack }) {
    this.on = { onTurn, onReading, onHandoff, onLost, onBack };
    this.source = null;
    this.isElsewhere = false;
    this.misses = 0;
    this.lostTimer = null;
    this.againTimer = null;
    this.lastId = () => 0;
    document.addEventListener("visibilitychange", () => this.#lookAgain());
    window.addEventListener("focus", () => this.#lookAgain());
    window.addEventListener("online", () => this.wanted && this.open());
  }

  get isOpen() {
    return Boolean(this.source) && this.source.readyState === EventSource.OPEN;
  }

  // Opens the stream after the newest known turn, unless it is open.
  open() {
    this.wanted = true;
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.againTimer);
    this.isElsewhere = false;
    const source = new EventSource(`chat/events?after=${this.lastId()}`);
    this.source = source;
    source.addEventListener("turn", (event) => this.on.onTurn(JSON.parse(event.data)));
    source.addEventListener("reading", (event) => this.on.onReading(JSON.parse(event.data)));
    source.addEventListener("handoff", (event) => this.on.onHandoff(JSON.parse(event.data)));
    source.addEventListener("elsewhere", () => {
      this.isElsewhere = true;
      source.close();
    });
    source.onopen = () => {
      const wasLost = this.misses > 0;
      this.misses = 0;
      clearTimeout(this.lostTimer);
      this.lostTimer = null;
      if (wasLost) this.on.onBack();
    };
    source.onerror = () => this.#broken(source);
  }

  #broken(source) {
    if (source !== this.source || this.isElsewhere) return;
    this.misses += 1;
    if (!this.lostTimer) this.lostTimer = setTimeout(() => this.on.onLost(), LOST_AFTER_MS);
    if (source.readyState === EventSource.CLOSED) {
      // The server answered with an error, which browsers don't try again after.
      clearTimeout(this.againTimer);
      const pause = AGAIN_MS[Math.min(this.misses - 1, AGAIN_MS.length - 1)];
      this.againTimer = setTimeout(() => this.open(), pause);
    }
  }

  #lookAgain() {
    if (document.hidden || !this.wanted || !this.isElsewhere) return;
    this.open();
    this.on.onBack();
  }
}
