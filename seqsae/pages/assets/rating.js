// Blind rating: one unit at a time, a rating and a word for each, saved as a file.

const called = new Map(Object.entries(data.names));
const rating = { at: 0, given: new Map(), saved: true };
const shade = (value) => `background:rgba(213, 94, 0, ${(0.1 + 0.75 * Math.min(value, 1)).toFixed(2)})`;
const tell = (token) => clipped(called.has(token) ? `${token}: ${called.get(token)}` : token, 400);

function exampleRow({ tokens, values, at, middle, place: number, year }) {
  const letters = tokens.every((token) => [...token].length === 1);
  const cells = tokens.map((token, place) => el("span", { class: place === at ? "step strong" : "step", style: values[place] ? shade(values[place]) : null, title: `${tell(token)}\nstrength ${percent(values[place])}` }, clipped(token, 24)));
  return el("li", {}, el("i", {}, middle ? "middling" : percent(values[at]), el("small", {}, missing(year) ? `row ${number}` : `row ${number}, ${year}`)), el("div", { class: letters ? "residues" : "steps all" }, cells));
}

function scaleButton(value, text) {
  const mine = rating.given.get(data.items[rating.at].code);
  const chosen = Boolean(mine) && mine.rating === value;
  return el("button", { type: "button", "data-rating": value, "aria-pressed": String(chosen), onclick: () => rate(value) }, el("b", {}, String(value)), ` ${text}`);
}

function drawUnit() {
  const item = data.items[rating.at];
  const mine = rating.given.get(item.code);
  const label = el("input", { type: "text", id: "label", maxlength: 500, placeholder: "What is it? (may stay empty)", "aria-label": "What is it?", value: mine ? mine.label : null });
  label.addEventListener("input", () => {
    const now = rating.given.get(item.code);
    if (now) Object.assign(now, { label: label.value });
    rating.saved = false;
  });
  const tokens = item.tokens.map(([token, share, lift]) => el("li", { title: tell(token) }, el("span", { class: "share", style: `--share:${(100 * share).toFixed(1)}%` }, named(token, 40), called.has(token) ? el("small", {}, named(called.get(token), 48)) : null), el("i", {}, `×${fixed(lift, 1)}`)));
  document.getElementById("unit").replaceChildren(
    el("header", {}, el("h3", {}, `Unit ${item.code}`), el("span", { class: "muted" }, `${rating.at + 1} of ${data.items.length}`)),
    el("div", { class: "scale", role: "group", "aria-label": "Rating" }, data.scale.map((text, value) => scaleButton(value, text))),
    label,
    el("div", { class: "evidence" }, el("div", {}, el("h4", {}, "Fires on"), el("ol", { class: "tracks" }, item.examples.map(exampleRow))), el("div", {}, el("h4", {}, "Tokens there more often than elsewhere"), tokens.length ? el("ul", { class: "enriched" }, tokens) : el("p", { class: "muted" }, "None stands out."))),
  );
  drawDots();
}

function drawDots() {
  const dots = data.items.map((item, place) => el("button", { type: "button", class: rating.given.has(item.code) ? "done" : null, "aria-current": place === rating.at ? "true" : null, title: `Unit ${item.code}`, onclick: () => go(place) }, String(place + 1)));
  document.getElementById("dots").replaceChildren(...dots);
  document.getElementById("rated").textContent = `${rating.given.size} of ${data.items.length} rated`;
}

function go(place) {
  rating.at = Math.min(Math.max(place, 0), data.items.length - 1);
  drawUnit();
}

function rate(value) {
  const item = data.items[rating.at];
  rating.given.set(item.code, { rating: value, label: document.getElementById("label").value });
  rating.saved = false;
  drawUnit();
}

function exported() {
  const ratings = Object.fromEntries([...rating.given].map(([code, one]) => [code, one.label ? one : { rating: one.rating }]));
  return JSON.stringify({ kind: "seqsae rating", set: data.set, rater: data.rater, ratings }, null, 1);
}

function save() {
  const address = URL.createObjectURL(new Blob([exported()], { type: "application/json" }));
  const link = el("a", { href: address, download: `ratings-${data.rater}.json` });
  link.click();
  rating.saved = true;
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function load(event) {
  const told = document.getElementById("rated");
  try {
    const given = JSON.parse(await event.target.files[0].text());
    if (given.set !== data.set) throw new Error("it rates another set");
    const known = new Set(data.items.map((item) => item.code));
    for (const [code, one] of Object.entries(given.ratings)) {
      if (known.has(code) && [0, 1, 2, 3].includes(one.rating)) rating.given.set(code, { rating: one.rating, label: String(one.label ?? "") });
    }
    drawUnit();
  } catch (problem) {
    told.textContent = `The file cannot be read: ${problem.message}`;
  }
}

document.getElementById("export").addEventListener("click", save);
document.getElementById("load").addEventListener("change", load);
addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (["0", "1", "2", "3"].includes(event.key)) rate(Number(event.key));
  if (event.key === "ArrowRight") go(rating.at + 1);
  if (event.key === "ArrowLeft") go(rating.at - 1);
});
addEventListener("beforeunload", (event) => {
  if (!rating.saved) event.preventDefault();
});
drawUnit();
document.documentElement.dataset.ready = "true";
