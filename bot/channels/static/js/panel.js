// "What Attune read": the last reading in words, and the conversation's path; opened by the person.

import { make } from "./dom.js";
import { language, t } from "./i18n.js";
import { mapOf } from "./map.js";

const QUOTED_CHARS = 80;
const SURE = [[0.75, "high"], [0.5, "middle"], [0, "low"]];

export class Panel {
  constructor(turnsOf) {
    this.turnsOf = turnsOf;
    this.panel = document.getElementById("panel");
    this.toggle = document.getElementById("panel-toggle");
    this.heading = document.getElementById("panel-heading");
    this.reading = document.getElementById("reading");
    this.map = document.getElementById("map");
    this.toggle.addEventListener("click", () => (this.panel.hidden ? this.open() : this.close()));
    document.getElementById("panel-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && !this.panel.hidden) this.close();
    });
  }

  open() {
    this.panel.hidden = false;
    this.toggle.setAttribute("aria-expanded", "true");
    this.render();
    this.panel.scrollTop = 0;
    this.heading.focus({ preventScroll: true });
  }

  close() {
    this.panel.hidden = true;
    this.toggle.setAttribute("aria-expanded", "false");
    this.toggle.focus();
  }

  render() {
    if (this.panel.hidden) return;
    const isTableOpen = Boolean(this.map.querySelector("details[open]"));
    const written = this.turnsOf().filter((turn) => turn.author === "person");
    const last = written[written.length - 1];
    if (!last) {
      this.reading.replaceChildren(make("p", { class: "panel-empty" }, t("panel.empty")));
      this.map.replaceChildren();
      return;
    }
    this.reading.replaceChildren(readingOf(last));
    this.map.replaceChildren(mapOf(written.filter((turn) => turn.reading && isMapped(turn.reading))));
    const details = this.map.querySelector("details");
    if (details && isTableOpen) details.open = true;
  }
}

function isMapped(reading) {
  return !reading.abstained && !reading.degraded;
}

function readingOf(turn) {
  const box = make("section", { "aria-labelledby": "last-heading" }, make("h3", { id: "last-heading" }, t("panel.last")));
  const quote = make("p", { class: "reading-of", dir: "auto" }, t("panel.of", { text: shorten(turn.text) }));
  const reading = turn.reading;
  if (!reading) {
    box.append(label(t("panel.waiting"), true), quote);
  } else if (reading.abstained && reading.degraded) {
    box.append(label(t("panel.unsure"), true), quote);
  } else if (reading.abstained && reading.confidence === 0) {
    // The reader makes no attempt, rather than a doubtful one, in a language it wasn't trained on.
    const name = languageName(reading.language);
    box.append(label(t("panel.unread_language"), true), quote, note(t("panel.unread_language_more", { language: name })));
  } else if (reading.abstained) {
    box.append(label(t("panel.unsure")), quote, note(t("panel.unsure_more")));
  } else {
    box.append(label(t(`emotions.${reading.label}`) || reading.label), quote, ...sureness(reading.confidence));
  }
  if (reading && reading.degraded) box.append(make("p", { class: "reading-degraded" }, t("panel.degraded")));
  return box;
}

function sureness(confidence) {
  const share = Math.max(0, Math.min(1, confidence));
  const percent = `${Math.round(share * 100)}%`;
  const words = t(`panel.sure.${SURE.find(([from]) => share >= from)[1]}`);
  const bar = make("span");
  bar.style.width = `${share * 100}%`;
  return [
    make("p", { class: "sure" }, make("span", {}, t("panel.confidence")), make("strong", {}, `${words} · ${percent}`)),
    make(
      "div",
      {
        class: "meter",
        role: "meter",
        "aria-label": t("panel.confidence"),
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": Math.round(share * 100),
        "aria-valuetext": `${words}, ${percent}`,
      },
      bar,
    ),
  ];
}

function label(text, isNoFeeling = false) {
  return make("p", { class: isNoFeeling ? "reading-label lesser" : "reading-label" }, text);
}

function note(text) {
  return make("p", { class: "reading-note" }, text);
}

function shorten(text) {
  const chars = [...text.replace(/\s+/g, " ")];
  return chars.length > QUOTED_CHARS ? `${chars.slice(0, QUOTED_CHARS - 1).join("")}…` : chars.join("");
}

function languageName(code) {
  if (!code || code === "und") return t("panel.this_language");
  try {
    return new Intl.DisplayNames([language()], { type: "language" }).of(code) || t("panel.this_language");
  } catch {
    return t("panel.this_language");
  }
}
