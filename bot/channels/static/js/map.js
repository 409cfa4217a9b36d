// The path of a conversation over pleasantness and energy (Russell's circumplex), as a drawing and a table.

import { draw, make } from "./dom.js";
import { t } from "./i18n.js";
import { timeOf } from "./conversation.js";

const SIZE = 260; // of the plane, in units of the drawing
const MARGIN = { top: 20, side: 8, bottom: 22 };
const SHOWN = 12; // readings on the map
const NEITHER = 0.12; // nearer to the middle than this has no direction worth a word

// The map of readings ({at, reading}), oldest first, as an element.
export function mapOf(points) {
  const box = make("section", { "aria-labelledby": "map-heading" }, make("h3", { id: "map-heading" }, t("panel.map")));
  const shown = points.slice(-SHOWN);
  if (!shown.length) {
    box.append(make("p", { class: "reading-note" }, t("panel.map_empty")));
    return box;
  }
  box.append(picture(shown), table(shown));
  return box;
}

export function pleasantness(valence) {
  if (Math.abs(valence) < NEITHER) return t("panel.neither_valence");
  return t(valence > 0 ? "panel.pleasant" : "panel.unpleasant");
}

export function energy(arousal) {
  if (Math.abs(arousal) < NEITHER) return t("panel.neither_arousal");
  return t(arousal > 0 ? "panel.stirred" : "panel.calm");
}

function picture(shown) {
  const last = shown[shown.length - 1].reading;
  const label = t(`emotions.${last.label}`) || last.label;
  const alternative = t("panel.map_alt", {
    count: shown.length,
    label,
    valence: pleasantness(last.valence),
    arousal: energy(last.arousal),
  });
  const width = SIZE + 2 * MARGIN.side;
  const height = SIZE + MARGIN.top + MARGIN.bottom;
  const middle = { x: width / 2, y: MARGIN.top + SIZE / 2 };
  const plane = draw("svg", { class: "plane", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alternative });
  plane.append(
    draw("rect", { class: "ground", x: MARGIN.side, y: MARGIN.top, width: SIZE, height: SIZE, rx: 14 }),
    draw("line", { class: "axis", x1: MARGIN.side, x2: MARGIN.side + SIZE, y1: middle.y, y2: middle.y }),
    draw("line", { class: "axis", x1: middle.x, x2: middle.x, y1: MARGIN.top, y2: MARGIN.top + SIZE }),
    words(middle.x, MARGIN.top - 7, "middle", t("panel.stirred"), "outside"),
    words(middle.x, MARGIN.top + SIZE + 15, "middle", t("panel.calm"), "outside"),
    // Below the plane and not inside it, where they would hide what lies near the edge.
    words(MARGIN.side, MARGIN.top + SIZE + 15, "start", `← ${t("panel.unpleasant")}`, "outside"),
    words(MARGIN.side + SIZE, MARGIN.top + SIZE + 15, "end", `${t("panel.pleasant")} →`, "outside"),
  );
  const places = shown.map(({ reading }) => ({
    x: middle.x + (clamp(reading.valence) * (SIZE - 24)) / 2,
    y: middle.y - (clamp(reading.arousal) * (SIZE - 24)) / 2,
  }));
  places.forEach((place, index) => {
    const weight = (index + 1) / places.length;
    if (index > 0) {
      const from = places[index - 1];
      plane.append(
        draw("line", { class: "path", x1: from.x, y1: from.y, x2: place.x, y2: place.y, opacity: 0.15 + 0.6 * weight }),
      );
    }
    const isLast = index === places.length - 1;
    if (isLast) plane.append(draw("circle", { class: "halo", cx: place.x, cy: place.y, r: 12 }));
    plane.append(
      draw("circle", { class: "point", cx: place.x, cy: place.y, r: isLast ? 6 : 4, opacity: isLast ? 1 : 0.15 + 0.6 * weight }),
    );
  });
  const end = places[places.length - 1];
  const side = end.x > middle.x ? "end" : "start";
  const above = end.y > MARGIN.top + 34;
  plane.append(words(end.x + (side === "end" ? 6 : -6), end.y + (above ? -17 : 27), side, label, "last"));
  return plane;
}

function table(shown) {
  const rows = [...shown].reverse().map(({ at, reading }) =>
    make(
      "tr",
      {},
      make("td", {}, timeOf(at)),
      make("td", {}, t(`emotions.${reading.label}`) || reading.label),
      make("td", { class: "number" }, hundredths(reading.valence)),
      make("td", { class: "number" }, hundredths(reading.arousal)),
    ),
  );
  const head = ["time", "feeling", "pleasantness", "energy"].map((name, index) =>
    make("th", { scope: "col", class: index > 1 ? "number" : null }, t(`panel.${name}`)),
  );
  return make(
    "details",
    {},
    make("summary", {}, t("panel.table")),
    make("table", {}, make("caption", {}, t("panel.scale")), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
  );
}

function words(x, y, anchor, text, kind) {
  return draw("text", { class: kind, x, y, "text-anchor": anchor, "aria-hidden": "true" }, text);
}

function hundredths(value) {
  const rounded = Math.round(clamp(value) * 100);
  return rounded < 0 ? `−${-rounded}` : String(rounded);
}

function clamp(value) {
  return Math.max(-1, Math.min(1, Number(value) || 0));
}
