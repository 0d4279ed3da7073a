// Elements and numbers. Text enters the page as text nodes only, so no name in the data can act as markup.

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const none = "–";
const missing = (value) => value === null || value === undefined;
const count = (value) => (missing(value) ? none : value.toLocaleString("en-US"));
const fixed = (value, digits = 2) => (missing(value) ? none : value.toFixed(digits).replace("-", "−"));
const percent = (value) => {
  if (missing(value)) return none;
  const share = 100 * value;
  return (share > 0 && share < 0.1 ? share.toPrecision(1) : share.toFixed(share < 10 ? 1 : 0)) + "%";
};

function small(value) {
  if (missing(value)) return none;
  if (value >= 0.001 || value === 0) return value === 0 ? "<1e−300" : value.toPrecision(2);
  return value.toExponential(0).replace("e-", "e−");
}

function interval(low, high) {
  return missing(low) || missing(high) ? "" : `[${fixed(low)}, ${fixed(high)}]`;
}

// A name cut to so many characters, set apart from the direction of the text around it; the whole stands in its tooltip.
function clipped(text, most) {
  const tail = Math.floor(most / 4);
  const short = text.length > most ? `${text.slice(0, most - tail - 1)}…${text.slice(-tail)}` : text;
  return short.replace(/[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function named(text, most = 60) {
  const shown = String(text);
  return el("bdi", { title: shown.length > most ? shown.slice(0, 2000) : null }, clipped(shown, most));
}

function chip(text, kind = "", title = null) {
  return el("span", { class: `chip ${kind}`.trim(), title }, text);
}
