// Where people write: Enter sends, Shift+Enter breaks the line, and choosing characters never sends.

import { t } from "./i18n.js";

const SHOWN_FROM = 0.8; // of the limit, from where the rest is counted
const DRAFT_KEY = "attune.draft";

export class Composer {
  constructor({ onSend }) {
    this.maxChars = 4000;
    this.onSend = onSend;
    this.form = document.getElementById("composer");
    this.field = document.getElementById("message");
    this.button = document.getElementById("send");
    this.count = document.getElementById("count");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.field.addEventListener("keydown", (event) => {
      // 229: Safari ends a composition before the Enter that chose the characters.
      const isComposing = event.isComposing || event.keyCode === 229;
      if (event.key !== "Enter" || event.shiftKey || isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.field.addEventListener("input", () => this.refresh());
    this.field.value = sessionValue() || "";
    this.refresh();
  }

  setLimit(maxChars) {
    this.maxChars = maxChars;
    this.refresh();
  }

  // Puts a text that wasn't sent back, ahead of what is being written.
  restore(text) {
    this.field.value = this.field.value ? `${text}\n${this.field.value}` : text;
    this.refresh();
    this.field.focus();
  }

  refresh() {
    keepValue(this.field.value);
    const chars = [...this.field.value].length;
    const left = this.maxChars - chars;
    this.button.disabled = !this.field.value.trim() || left < 0;
    this.count.classList.toggle("over", left < 0);
    if (left < 0) this.count.textContent = t("composer.over", { count: -left });
    else if (chars >= this.maxChars * SHOWN_FROM) this.count.textContent = t("composer.left", { count: left });
    else this.count.textContent = "";
    this.field.toggleAttribute("aria-invalid", left < 0);
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  #send() {
    const text = this.field.value.trim();
    if (!text || this.button.disabled) return;
    this.field.value = "";
    this.refresh();
    this.field.focus();
    this.onSend(text);
  }
}

// A half-written message outlives a reload of its tab, and nothing longer.
function sessionValue() {
  try {
    return sessionStorage.getItem(DRAFT_KEY);
  } catch {
    return null;
  }
}

function keepValue(text) {
  try {
    sessionStorage.setItem(DRAFT_KEY, text);
  } catch {
    // Switched off: the draft lives in the page alone.
  }
}
