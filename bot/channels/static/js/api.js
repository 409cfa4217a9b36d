// The chat's API. Every address is relative to the page, so that it also works under a path of a proxy.

import { language } from "./i18n.js";

const GIVE_UP_MS = 90_000; // the server answers within 20 s, and the same message may be sent again

// The server said no: `code` and `message` say why, `retryAfterS` when to come back.
export class Refusal extends Error {
  constructor(status, error) {
    super(error.message || "");
    this.status = status;
    this.code = error.code || "";
    this.retryAfterS = error.retry_after_s || 0;
    this.care = error.care || ""; // has to be shown: there is, or may be, danger in the message
  }

  get isFinal() {
    return [400, 403, 413, 422].includes(this.status);
  }
}

// The server could not be reached.
export class Unreachable extends Error {}

export function openSession() {
  return call("POST", "chat/session", { language: language() });
}

export function history() {
  return inSession(() => call("GET", "chat/history"));
}

export function sendMessage(entry) {
  const { message_id, text, language: written } = entry;
  const body = { message_id, text, language: written, ...place() };
  return inSession(() => call("POST", "chat/messages", body));
}

export function askHuman() {
  return inSession(() => call("POST", "chat/human", { language: language() }));
}

// What tells which country's helplines to name; the time zone says it best.
function place() {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return { timezone: timeZone || "", locale: navigator.language || "" };
}

async function inSession(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    await openSession();
    return ask();
  }
}

async function call(method, path, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), GIVE_UP_MS);
  try {
    const response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: { "Accept-Language": language(), ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body ? JSON.stringify(body) : undefined,
      signal: stop.signal,
    });
    const data = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refusal(response.status, data.error || {});
    return data;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Unreachable(error.message);
  } finally {
    clearTimeout(timer);
  }
}
