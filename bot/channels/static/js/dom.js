// Making elements without markup: text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

export function make(name, attributes = {}, ...children) {
  return fitOut(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return fitOut(document.createElementNS(SVG, name), attributes, children);
}

function fitOut(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
