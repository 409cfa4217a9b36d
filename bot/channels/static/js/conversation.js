// The conversation as it is shown: turns that the server has, in their order, then what is on its way.

import { make } from "./dom.js";
import { language, locale, t } from "./i18n.js";
import { fill } from "./links.js";

const TOGETHER_S = 180; // turns of one author this close share a name and a time
const NEAR_END_PX = 80;
const ANNOUNCED_KEPT = 6;

export class Conversation {
  constructor({ onOffer, onRetry, onDiscard, onOthersTurn }) {
    this.turns = new Map(); // id to turn
    this.pending = [];
    this.items = new Map(); // key to list item
    this.isQuiet = true; // the history isn't read out
    this.mayOffer = true;
    this.on = { onOffer, onRetry, onDiscard, onOthersTurn };
    this.log = document.getElementById("log");
    this.list = document.getElementById("turns");
    this.newer = document.getElementById("newer");
    this.announcer = document.getElementById("announcer");
    this.newer.addEventListener("click", () => this.toEnd());
    this.wasNearEnd = true;
    for (const place of [this.log, window]) place.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.wasNearEnd && this.items.size && this.toEnd()).observe(this.log);
  }

  get ordered() {
    return [...this.turns.values()].sort((one, other) => one.id - other.id);
  }

  get lastId() {
    return Math.max(0, ...this.turns.keys());
  }

  // Takes in turns from wherever they come; known ones are brought up to date and not read out again.
  take(turns) {
    const fresh = turns.filter((turn) => !this.turns.has(turn.id));
    for (const turn of turns) {
      const known = this.turns.get(turn.id);
      this.turns.set(turn.id, known && known.reading && !turn.reading ? known : turn);
    }
    const others = fresh.filter((turn) => turn.author !== "person");
    this.render(others.length > 0);
    if (!this.isQuiet) {
      for (const turn of others) {
        this.announce(`${this.#sayer(turn)}: ${turn.text}`);
        this.on.onOthersTurn(turn);
      }
    }
  }

  setPending(entries) {
    const delivered = new Set([...this.turns.values()].map((turn) => turn.message_id));
    const hasNew = entries.some((entry) => !this.items.has(`m${entry.message_id}`));
    this.pending = entries.filter((entry) => !delivered.has(entry.message_id));
    this.render(false);
    if (hasNew) this.toEnd();
  }

  announce(text) {
    this.announcer.append(make("p", {}, text));
    while (this.announcer.children.length > ANNOUNCED_KEPT) this.announcer.firstChild.remove();
  }

  // Where there is little height, the page scrolls as a whole (see chat.css).
  get scroller() {
    return getComputedStyle(this.log).overflowY === "visible" ? document.scrollingElement : this.log;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newer.hidden = true;
  }

  isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  render(hasNews = false) {
    const isFollowing = this.isNearEnd();
    const shown = [
      ...this.ordered.map((turn) => ({ ...turn, key: turn.message_id ? `m${turn.message_id}` : `t${turn.id}` })),
      ...this.pending.flatMap((entry) => this.#onItsWay(entry)),
    ];
    const lastOfBot = shown.reduce((last, turn, index) => (turn.author === "bot" ? index : last), -1);
    const nodes = [];
    shown.forEach((turn, index) => {
      const before = shown[index - 1];
      const after = shown[index + 1];
      if (!before || dayOf(before.at) !== dayOf(turn.at)) nodes.push(this.#day(turn.at));
      const offers = this.mayOffer && turn.offers_human && index === lastOfBot;
      nodes.push(this.#item(turn, offers, isTogether(before, turn), isTogether(turn, after)));
    });
    const kept = new Set(nodes);
    for (const [key, item] of this.items) if (!kept.has(item)) this.items.delete(key);
    nodes.forEach((node, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] || null);
    });
    while (this.list.children.length > nodes.length) this.list.lastChild.remove();
    if (isFollowing && nodes.length) this.toEnd();
    else if (hasNews && !this.isQuiet) this.newer.hidden = false;
  }

  // A message that the server doesn't have yet, and what it said to it all the same.
  #onItsWay(entry) {
    const own = { ...entry, author: "person", key: `m${entry.message_id}` };
    if (!entry.care) return [own];
    return [own, { author: "bot", text: entry.care, at: entry.at, key: `c${entry.message_id}`, offers_human: true }];
  }

  #scrolled() {
    this.wasNearEnd = this.isNearEnd();
    if (this.wasNearEnd) this.newer.hidden = true;
  }

  #day(at) {
    const key = `d${dayOf(at)}`;
    const item = this.#kept(key, () => make("li", { class: "day" }));
    item.textContent = dayName(at);
    return item;
  }

  #item(turn, offers, follows, leads) {
    const item = this.#kept(turn.key, () => make("li"));
    const state = turn.state || "";
    const parts = [turn.author, turn.name, turn.text, turn.at, state, turn.note, offers, follows, leads, language()];
    const look = JSON.stringify(parts);
    if (item.look === look) return item;
    item.look = look;
    item.className = `turn ${turn.author}`;
    item.classList.toggle("follows", follows);
    item.classList.toggle("leads", leads);
    item.classList.toggle("pending", state === "waiting" || state === "sending");
    item.classList.toggle("failed", state === "failed");
    const bubble = make("div", { class: "bubble", dir: "auto" });
    if (turn.author === "person") bubble.textContent = turn.text;
    else fill(bubble, turn.text);
    item.replaceChildren(this.#by(turn, follows), bubble);
    if (offers) item.append(this.#offer());
    item.append(this.#meta(turn, state));
    return item;
  }

  #by(turn, follows) {
    if (turn.author === "person") return make("span", { class: "hidden" }, t("conversation.you"));
    const by = make("div", { class: follows ? "hidden" : "by" });
    if (turn.author === "human") {
      const name = turn.name || t("conversation.someone");
      by.append(make("span", { class: "initial", "aria-hidden": "true" }, [...name][0]));
      by.append(turn.name ? `${name} · ${t("conversation.human")}` : name);
    } else {
      by.append(t("conversation.program"));
    }
    return by;
  }

  #offer() {
    const button = make("button", { type: "button", class: "offer" }, t("handoff.ask"));
    button.addEventListener("click", this.on.onOffer);
    return button;
  }

  #meta(turn, state) {
    const meta = make("div", { class: "meta" });
    if (state === "failed") {
      meta.classList.add("trouble");
      const reason = t(`errors.${turn.code}`) && turn.note ? turn.note : "";
      meta.append(`${t("conversation.failed")} ${reason}`);
      meta.append(button(t("conversation.retry"), () => this.on.onRetry(turn.message_id)));
      meta.append(button(t("conversation.discard"), () => this.on.onDiscard(turn)));
      return meta;
    }
    if (state === "waiting" && turn.note) {
      meta.classList.add("trouble");
      meta.append(t(`conversation.${turn.note}`), button(t("conversation.retry"), () => this.on.onRetry(turn.message_id)));
    } else if (state) {
      meta.append(t("conversation.sending"));
    } else {
      const when = new Date(turn.at * 1000);
      meta.append(make("time", { datetime: when.toISOString() }, timeOf(turn.at)));
    }
    return meta;
  }

  #sayer(turn) {
    if (turn.author === "bot") return t("conversation.program_said");
    return turn.name ? t("conversation.human_said", { name: turn.name }) : t("conversation.someone");
  }

  #kept(key, make) {
    if (!this.items.has(key)) this.items.set(key, make());
    return this.items.get(key);
  }
}

export function timeOf(at) {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit" }).format(new Date(at * 1000));
}

function button(text, onClick) {
  const element = make("button", { type: "button" }, text);
  element.addEventListener("click", onClick);
  return element;
}

function isTogether(one, other) {
  return Boolean(
    one && other && one.author === other.author && one.name === other.name &&
      !one.state && !other.state && other.at - one.at < TOGETHER_S && dayOf(one.at) === dayOf(other.at),
  );
}

function dayOf(at) {
  const day = new Date(at * 1000);
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

function dayName(at) {
  const now = Date.now() / 1000;
  if (dayOf(at) === dayOf(now)) return t("conversation.today");
  if (dayOf(at) === dayOf(now - 86_400)) return t("conversation.yesterday");
  return new Intl.DateTimeFormat(locale(), { dateStyle: "long" }).format(new Date(at * 1000));
}
