// The chat page: puts its parts together.

import { Refusal, askHuman, history, openSession } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { language, onChange, preferred, t, use } from "./i18n.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";

const START_AGAIN_MS = 3000;
const BACK_SHOWN_MS = 3000;

const status = document.getElementById("status");
const handoffState = document.getElementById("handoff-state");
const handoffMore = document.getElementById("handoff-more");
const ask = document.getElementById("ask-human");
const banner = document.getElementById("banner");
const writing = document.getElementById("writing");

let handoff = { state: "bot", name: null };
let isAsking = false;
let unseen = 0;
let bannerKey = "";

const conversation = new Conversation({
  onOffer: () => askForHuman(),
  onRetry: (messageId) => outbox.retry(messageId),
  onDiscard: (entry) => {
    outbox.discard(entry.message_id);
    composer.restore(entry.text);
  },
  onOthersTurn: () => {
    if (!document.hidden) return;
    unseen += 1;
    showTitle();
  },
});

const panel = new Panel(() => conversation.ordered);

const outbox = new Outbox({
  onChange: () => {
    conversation.setPending(outbox.entries);
    const failed = outbox.entries.some((entry) => entry.state === "failed" && !entry.told);
    if (failed) {
      outbox.entries.forEach((entry) => (entry.told = true));
      conversation.announce(t("conversation.failed_announced"));
    }
    showWriting();
  },
  onAnswer: (answer) => {
    take([answer.turn, ...answer.turns].filter(Boolean));
    setHandoff(answer.handoff);
    live.open();
  },
  onCare: (text) => conversation.announce(`${t("conversation.program_said")}: ${text}`),
  onConnection: (isThere) => (isThere ? live.isOpen && showBanner("") : showBanner("lost")),
});

const composer = new Composer({
  onSend: (text) => {
    outbox.add(text, language());
    conversation.toEnd();
  },
});

const live = new Live({
  onTurn: (turn) => take([turn]),
  onReading: (turn) => take([turn]),
  onHandoff: setHandoff,
  onLost: () => showBanner("lost"),
  onBack: async () => {
    showBanner("back");
    outbox.flush();
    await refresh().catch(() => undefined); // the stream goes on by itself
  },
});
live.lastId = () => conversation.lastId;

function take(turns) {
  conversation.take(turns);
  turns.forEach((turn) => turn.message_id && outbox.delivered(turn.message_id));
  conversation.setPending(outbox.entries);
  panel.render();
}

function setHandoff(wanted) {
  if (!wanted) return;
  handoff = wanted;
  const isBots = handoff.state === "bot" || handoff.state === "returned";
  const name = handoff.name || t("conversation.someone");
  status.dataset.state = handoff.state;
  setText(handoffState, t(`handoff.${handoff.state}`, { name }));
  setText(handoffMore, isBots ? "" : t(`handoff.${handoff.state}_more`));
  ask.hidden = !isBots;
  ask.disabled = isAsking;
  setText(ask, t(isAsking ? "handoff.asking" : "handoff.ask"));
  conversation.mayOffer = isBots && !isAsking;
  conversation.render();
  showWriting();
}

async function askForHuman() {
  if (isAsking) return;
  const hadFocus = document.activeElement;
  isAsking = true;
  setHandoff(handoff);
  try {
    const answer = await askHuman();
    isAsking = false;
    take(answer.turns);
    setHandoff(answer.handoff);
    live.open();
    if (!hadFocus || !hadFocus.isConnected || hadFocus.hidden) composer.field.focus();
  } catch (error) {
    isAsking = false;
    setHandoff(handoff);
    const said = error instanceof Refusal && error.message ? error.message : t("handoff.failed");
    showBanner("ask", said);
  }
}

function showWriting() {
  const isBots = handoff.state === "bot" || handoff.state === "returned";
  const isShown = isBots && outbox.isSending;
  if (writing.hidden !== isShown) return;
  const isFollowing = conversation.isNearEnd();
  writing.hidden = !isShown;
  if (isFollowing) conversation.toEnd();
}

function showBanner(key, text) {
  const words = text || (key ? t(`connection.${key}`) : "");
  const wasLost = bannerKey === "lost" || bannerKey === "starting";
  if (key === "back" && !wasLost) return;
  bannerKey = key;
  banner.hidden = !key;
  banner.classList.toggle("good", key === "back");
  setText(banner, words);
  if (key === "back") setTimeout(() => bannerKey === "back" && showBanner(""), BACK_SHOWN_MS);
}

function showTitle() {
  document.title = unseen ? t("page.unread_title", { count: unseen }) : t("page.title");
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function refresh() {
  const answer = await history();
  take(answer.turns);
  setHandoff(answer.handoff);
  if (answer.turns.length) live.open();
}

async function start() {
  try {
    const session = await openSession();
    composer.setLimit(session.max_message_chars);
    await refresh();
  } catch {
    showBanner(navigator.onLine === false ? "lost" : "starting");
    conversation.isQuiet = false;
    setTimeout(start, START_AGAIN_MS);
    return;
  }
  if (bannerKey) showBanner("back");
  conversation.isQuiet = false;
  if (conversation.lastId) conversation.toEnd();
  outbox.open();
  document.documentElement.dataset.ready = "yes";
}

function showLanguage() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  setHandoff(handoff);
  composer.refresh();
  conversation.render();
  panel.render();
  showTitle();
  if (bannerKey && bannerKey !== "ask") showBanner(bannerKey);
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => use(button.dataset.language, true));
}
ask.addEventListener("click", () => askForHuman());
window.addEventListener("offline", () => showBanner("lost"));
window.addEventListener("online", () => outbox.flush());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  showTitle();
});

onChange(showLanguage);
await use(preferred());
conversation.setPending(outbox.entries);
await start();
