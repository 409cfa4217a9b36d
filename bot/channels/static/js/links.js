// Addresses and telephone numbers in what the program or a human writes, made so that they can be tapped:
// somebody in distress should not have to copy a number.

const LINK = /https:\/\/[^\s<>"'（）()，。；]+[^\s<>"'（）()，。；.,;:!?]|(?<![\d.,:/-])\+?\d(?:[\d]|[ -](?=\d)){6,16}(?![\d:/%])/g;
const SHORT = /((?:call or text|call|text|dial|拨打|致电|热线)[^\d\n.。]{0,10})(\d{3,6})(?![\d:/%.])/gi;

// Fills an element with text whose addresses and numbers are links; everything is set as text.
export function fill(element, text) {
  const found = [...matches(text)].sort((one, other) => one.start - other.start);
  let from = 0;
  element.replaceChildren();
  for (const { start, end } of found) {
    if (start < from) continue;
    const shown = text.slice(start, end);
    element.append(text.slice(from, start));
    const link = document.createElement("a");
    link.textContent = shown;
    if (shown.startsWith("https://")) {
      Object.assign(link, { href: shown, target: "_blank", rel: "noopener noreferrer" });
    } else {
      link.href = `tel:${shown.replace(/[^\d+]/g, "")}`;
    }
    element.append(link);
    from = end;
  }
  element.append(text.slice(from));
}

function* matches(text) {
  for (const match of text.matchAll(LINK)) yield { start: match.index, end: match.index + match[0].length };
  for (const match of text.matchAll(SHORT)) {
    const start = match.index + match[1].length;
    yield { start, end: start + match[2].length };
  }
}
