// The page's words in English and Chinese, and the reader's choice between them, remembered.

const LANGUAGES = ["en", "zh"];
const KEY = "attune.language";

const listeners = [];
let strings = {};
let current = "en";

export function language() {
  return current;
}

// The locale for dates: the reader's own where it fits, so that an English page in Britain has British dates.
export function locale() {
  const own = (navigator.languages || [navigator.language]).find((tag) => tag && tag.startsWith(current));
  return own || (current === "zh" ? "zh-CN" : "en");
}

export function preferred() {
  const remembered = read(KEY);
  if (LANGUAGES.includes(remembered)) return remembered;
  return (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}

export async function use(wanted, isChosen = false) {
  const url = new URL(`../i18n/${wanted}.json`, import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
  strings = await response.json();
  current = wanted;
  if (isChosen) write(KEY, wanted);
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  translate(document);
  listeners.forEach((listener) => listener());
}

export function onChange(listener) {
  listeners.push(listener);
}

// The string under a dotted key with its {placeholders} filled in; the empty string when there is none.
export function t(key, values = {}) {
  const found = key.split(".").reduce((part, name) => (part ? part[name] : undefined), strings);
  if (typeof found !== "string") return "";
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function translate(root) {
  for (const element of root.querySelectorAll("[data-i18n]")) element.textContent = t(element.dataset.i18n);
  for (const element of root.querySelectorAll("[data-i18n-label]")) {
    element.setAttribute("aria-label", t(element.dataset.i18nLabel));
  }
  for (const element of root.querySelectorAll("[data-i18n-placeholder]")) {
    element.placeholder = t(element.dataset.i18nPlaceholder);
  }
}

// Storage may be switched off in a browser; the page then works without a memory.
export function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Full or switched off: what isn't remembered is asked again.
  }
}
