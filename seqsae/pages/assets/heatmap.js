// Every feature against every covariate on a canvas: only what is in sight is drawn, so that thousands of rows scroll smoothly.

const heat = { rows: [], columns: [], order: "cluster", verdict: "", search: "", covariates: "", cursor: null, hover: null, cell: 18, line: 16, head: 128, gutter: 170 };
const heatLetters = data.heatmap ? new Map([...data.heatmap.letters].map((letter, at) => [letter, (at - (data.heatmap.letters.length - 1) / 2) * data.heatmap.step])) : new Map();
const heatEnd = data.heatmap ? ((data.heatmap.letters.length - 1) / 2) * data.heatmap.step : 0;
const heatStrong = 8; // |z| of the darkest colour
const heatRamps = { low: [[246, 247, 249], [213, 94, 0], [84, 34, 0]], high: [[246, 247, 249], [0, 114, 178], [0, 41, 68]] };

// White to a hue to a dark one: orange below 0, blue above.
function heatColor(z) {
  const ramp = z < 0 ? heatRamps.low : heatRamps.high;
  const along = 2 * Math.min(Math.abs(z) / heatStrong, 1) ** 1.25; // what chance brings stays pale
  const [from, to] = along < 1 ? [ramp[0], ramp[1]] : [ramp[1], ramp[2]];
  const share = along < 1 ? along : along - 1;
  return `rgb(${from.map((part, at) => Math.round(part + share * (to[at] - part))).join(",")})`;
}

const heatColors = new Map([...heatLetters].map(([letter, z]) => [letter, heatColor(z)]));
const heatZ = (pair, row) => heatLetters.get(data.heatmap.z[pair][row]) ?? null;
const heatVerdict = (pair, row) => data.heatmap.codes[data.heatmap.verdicts[pair][row]] ?? null;

function heatOrder(key) {
  const rows = data.heatmap.features.map((_, row) => row);
  if (key === "cluster") return rows;
  if (key === "number") return rows.sort((a, b) => data.heatmap.features[a] - data.heatmap.features[b]);
  const score = key === "supported"
    ? (row) => heat.columns.reduce((sum, pair) => sum + (heatVerdict(pair, row) === "supported"), 0)
    : (row) => heatZ(Number(key), row) ?? 0;
  const scores = rows.map(score);
  return rows.sort((a, b) => scores[b] - scores[a] || a - b);
}

function heatRefilter() {
  const words = heat.search.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = heat.covariates.toLowerCase().trim();
  heat.columns = pairs.map((row) => row.pair).filter((pair) => pairs[pair].label.toLowerCase().includes(wanted));
  const fits = (row) => {
    const feature = featureOf.get(data.heatmap.features[row]);
    if (!feature || !words.every((word) => feature.words.includes(word))) return false;
    return !heat.verdict || heat.columns.some((pair) => heatVerdict(pair, row) === heat.verdict);
  };
  heat.rows = heatOrder(heat.order).filter(fits);
  heat.cursor = null;
  document.getElementById("heat-count").textContent = `${count(heat.rows.length)} of ${count(data.heatmap.features.length)} features, ${count(heat.columns.length)} of ${count(pairs.length)} covariates`;
  heatMeasure();
  document.getElementById("heat").scrollTop = 0;
  heatDraw();
}

function heatMeasure() {
  const place = document.getElementById("heat");
  const space = document.getElementById("heat-space");
  heat.gutter = place.clientWidth < 600 ? 62 : 190;
  heat.cell = Math.max(18, Math.min(46, (place.clientWidth - heat.gutter - 40) / Math.max(heat.columns.length, 1)));
  const width = heat.gutter + heat.columns.length * heat.cell + 40;
  const height = heat.head + Math.max(heat.rows.length, 1) * heat.line + 4;
  place.style.height = `${Math.min(height + (width > place.clientWidth ? 16 : 0), 600)}px`;
  space.style.width = `${Math.max(width, place.clientWidth)}px`;
  space.style.height = `${height}px`;
  const canvas = document.getElementById("heat-canvas");
  const scale = window.devicePixelRatio || 1;
  canvas.style.width = `${place.clientWidth}px`;
  canvas.style.height = `${place.clientHeight}px`;
  canvas.width = Math.round(place.clientWidth * scale);
  canvas.height = Math.round(place.clientHeight * scale);
}

function heatDraw() {
  const place = document.getElementById("heat");
  const canvas = document.getElementById("heat-canvas");
  const draw = canvas.getContext("2d");
  const [width, height] = [place.clientWidth, place.clientHeight];
  const scale = window.devicePixelRatio || 1;
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.fillStyle = "#fff";
  draw.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(place.scrollTop / heat.line));
  const last = Math.min(heat.rows.length, Math.ceil((place.scrollTop + height - heat.head) / heat.line) + 1);
  draw.save();
  draw.beginPath();
  draw.rect(heat.gutter, heat.head, width - heat.gutter, height - heat.head);
  draw.clip();
  for (let at = first; at < last; at += 1) heatRow(draw, at, place, width);
  heatFrame(draw, place);
  draw.restore();
  draw.save();
  draw.beginPath();
  draw.rect(0, heat.head, heat.gutter, height - heat.head);
  draw.clip();
  for (let at = first; at < last; at += 1) heatLabel(draw, at, place);
  draw.restore();
  heatHeads(draw, place, width);
}

function heatRow(draw, at, place, width) {
  const row = heat.rows[at];
  const y = heat.head + at * heat.line - place.scrollTop;
  heat.columns.forEach((pair, column) => {
    const x = heat.gutter + column * heat.cell - place.scrollLeft;
    if (x + heat.cell < heat.gutter || x > width) return;
    const color = heatColors.get(data.heatmap.z[pair][row]);
    if (!color) return;
    const verdict = heatVerdict(pair, row);
    draw.globalAlpha = heat.verdict && verdict !== heat.verdict ? 0.16 : 1;
    draw.fillStyle = color;
    draw.fillRect(x + 0.5, y + 0.5, heat.cell - 1, heat.line - 1);
    if (verdict === "supported") {
      draw.beginPath();
      draw.arc(x + heat.cell / 2, y + heat.line / 2, 3.4, 0, 2 * Math.PI);
      draw.fillStyle = "#fff";
      draw.fill();
      draw.lineWidth = 1.6;
      draw.strokeStyle = "#111";
      draw.stroke();
    }
    draw.globalAlpha = 1;
  });
}

function heatFrame(draw, place) {
  const shown = heat.cursor ?? heat.hover;
  if (!shown) return;
  const x = heat.gutter + shown.column * heat.cell - place.scrollLeft;
  const y = heat.head + shown.row * heat.line - place.scrollTop;
  draw.lineWidth = 2;
  draw.strokeStyle = "#111";
  draw.strokeRect(x, y, heat.cell, heat.line);
}

function heatLabel(draw, at, place) {
  const feature = featureOf.get(data.heatmap.features[heat.rows[at]]);
  const y = heat.head + at * heat.line - place.scrollTop;
  draw.fillStyle = inCluster(feature) ? look(feature.cluster).color : noise;
  draw.fillRect(0, y, 7, heat.line);
  const marked = heat.cursor ?? heat.hover;
  draw.font = `${marked && marked.row === at ? "600 " : ""}11px system-ui, sans-serif`;
  draw.textBaseline = "middle";
  draw.textAlign = "left";
  draw.fillStyle = "#0072b2";
  draw.fillText(`#${feature.feature}`, 13, y + heat.line / 2 + 0.5);
  draw.fillStyle = "#5b6775";
  if (heat.gutter > 100) draw.fillText(clipped(feature.best_token ?? "", 19), 56, y + heat.line / 2 + 0.5);
}

function heatHeads(draw, place, width) {
  draw.save();
  draw.beginPath();
  draw.rect(heat.gutter, 0, width - heat.gutter, heat.head);
  draw.clip();
  draw.fillStyle = "#fafbfc";
  draw.fillRect(heat.gutter, 0, width, heat.head);
  draw.textAlign = "left";
  draw.textBaseline = "middle";
  const marked = heat.cursor ?? heat.hover;
  heat.columns.forEach((pair, column) => {
    const x = heat.gutter + (column + 0.5) * heat.cell - place.scrollLeft;
    if (x < heat.gutter - 60 || x > width + 10) return;
    const on = (marked && marked.column === column) || heat.order === String(pair);
    draw.save();
    draw.translate(x, heat.head - 7);
    draw.rotate(-Math.PI / 3.4);
    draw.font = `${on ? "650 " : ""}11px system-ui, sans-serif`;
    draw.fillStyle = on ? "#1d2733" : "#5b6775";
    draw.fillText(`${clipped(data.heatmap.names[pair], 22)}${heat.order === String(pair) ? " ↓" : ""}`, 0, 0);
    draw.restore();
  });
  draw.restore();
  draw.fillStyle = "#fafbfc";
  draw.fillRect(0, 0, heat.gutter, heat.head);
  draw.strokeStyle = "#e3e8ee";
  draw.lineWidth = 1;
  draw.strokeRect(-1, -1, heat.gutter + 0.5, heat.head + 0.5);
  draw.beginPath();
  draw.moveTo(0, heat.head - 0.5);
  draw.lineTo(width, heat.head - 0.5);
  draw.stroke();
}

function heatAt(event) {
  const place = document.getElementById("heat");
  const box = place.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left - place.clientLeft, event.clientY - box.top - place.clientTop];
  const column = x < heat.gutter ? -1 : Math.floor((x - heat.gutter + place.scrollLeft) / heat.cell);
  const row = y < heat.head ? -1 : Math.floor((y - heat.head + place.scrollTop) / heat.line);
  return { row: row < heat.rows.length ? row : null, column: column < heat.columns.length ? column : null };
}

function heatSaid({ row, column }) {
  const [at, pair] = [heat.rows[row], heat.columns[column]];
  const feature = featureOf.get(data.heatmap.features[at]);
  const z = heatZ(pair, at);
  const described = (describedOf.get(pairs[pair].covariate) || []).find((one) => one.pair === pair) || {};
  const edge = z !== null && Math.abs(z) >= heatEnd ? (z > 0 ? "≥ " : "≤ ") : "";
  const sizes = [missing(described.n_select) ? null : `n ${count(described.n_select)} on select`, missing(described.n_test) ? null : `n ${count(described.n_test)} on test`].filter(Boolean).join(", ");
  const told = z === null ? (heatVerdict(pair, at) ? "not adjusted" : "not tested") : `z ${edge}${fixed(z, 2)} beyond the confounders, select split`;
  const token = feature.best_token ? ` (${clipped(feature.best_token, 40)})` : "";
  return `#${feature.feature}${token} and ${clipped(pairs[pair].label, 60)}: ${told}${heatVerdict(pair, at) ? `; ${heatVerdict(pair, at)}` : ""}${sizes ? `; ${sizes}` : ""}.`;
}

function heatTell(shown) {
  const cell = shown && shown.row >= 0 && shown.column >= 0 && shown.row !== null && shown.column !== null;
  if (cell) document.getElementById("heat-cell").textContent = heatSaid(shown);
  return cell;
}

function heatHover(event) {
  const at = heatAt(event);
  heat.cursor = null;
  heat.hover = heatTell(at) ? at : null;
  const head = at.row === -1 && at.column !== null && at.column >= 0;
  const place = document.getElementById("heat");
  place.style.cursor = heat.hover || head || (at.column === -1 && at.row >= 0 && at.row !== null) ? "pointer" : "";
  place.title = heat.hover ? heatSaid(at) : head ? pairs[heat.columns[at.column]].label.slice(0, 2000) : "";
  heatDraw();
}

function heatClick(event) {
  const at = heatAt(event);
  if (at.row === -1 && at.column !== null && at.column >= 0) heatSort(String(heat.columns[at.column]));
  else if (at.row !== null && at.row >= 0) openFeature(data.heatmap.features[heat.rows[at.row]]);
}

function heatSort(order) {
  heat.order = heat.order === order ? "cluster" : order;
  document.getElementById("heat-order").value = heat.order;
  heatRefilter();
}

function heatKey(event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0], Home: [-1e9, 0], End: [1e9, 0] };
  const step = steps[event.key];
  if (!heat.rows.length || !heat.columns.length || (!step && event.key !== "Enter")) return;
  event.preventDefault();
  if (event.key === "Enter") {
    if (heat.cursor && event.shiftKey) openCovariate(pairs[heat.columns[heat.cursor.column]].covariate, null, heat.columns[heat.cursor.column]);
    else if (heat.cursor) openFeature(data.heatmap.features[heat.rows[heat.cursor.row]]);
    return;
  }
  const from = heat.cursor ?? { row: step[0] > 0 ? -1 : 0, column: step[1] > 0 ? -1 : 0 };
  const within = (value, length) => Math.max(0, Math.min(length - 1, value));
  heat.cursor = { row: within(from.row + step[0], heat.rows.length), column: within(from.column + step[1], heat.columns.length) };
  heatReveal();
  heatTell(heat.cursor);
  heatDraw();
}

function heatReveal() {
  const place = document.getElementById("heat");
  const [top, left] = [heat.cursor.row * heat.line, heat.cursor.column * heat.cell];
  const [tall, wide] = [place.clientHeight - heat.head - heat.line, place.clientWidth - heat.gutter - heat.cell];
  place.scrollTop = Math.min(top, Math.max(place.scrollTop, top - tall));
  place.scrollLeft = Math.min(left, Math.max(place.scrollLeft, left - wide));
}

function heatScale() {
  const stops = [-8, -6, -4, -2, 0, 2, 4, 6, 8];
  const cells = stops.map((z) => el("i", { style: `background:${heatColor(z)}`, title: `z ${z}` }));
  return [el("span", {}, "z −8"), ...cells, el("span", {}, "z 8"), el("span", { class: "dot-key" }, el("i", { class: "supported-dot" }), "supported on the test split"), el("span", { class: "muted" }, "blank: not tested")];
}

function drawHeat() {
  const place = document.getElementById("heat");
  if (!place || !data.heatmap) return;
  const codes = new Set(data.heatmap.verdicts.flatMap((letters) => [...new Set(letters)]));
  const verdicts = Object.entries(data.heatmap.codes).filter(([letter]) => codes.has(letter)).map(([, name]) => name);
  const pick = document.getElementById("heat-verdict");
  pick.append(el("option", { value: "" }, "any"), ...verdicts.map((name) => el("option", { value: name }, name)));
  const order = document.getElementById("heat-order");
  const orders = [["cluster", "clusters"], ["supported", "most supported"], ["number", "feature number"]];
  order.append(...orders.map(([value, text]) => el("option", { value }, text)), el("optgroup", { label: "z of" }, pairs.map((row) => el("option", { value: String(row.pair) }, data.heatmap.names[row.pair]))));
  const hear = (id, key, event = "input") => document.getElementById(id).addEventListener(event, ({ target }) => {
    heat[key] = target.value;
    heatRefilter();
  });
  hear("heat-search", "search");
  hear("heat-covariates", "covariates");
  hear("heat-verdict", "verdict", "change");
  hear("heat-order", "order", "change");
  document.getElementById("heat-scale").append(...heatScale());
  place.addEventListener("scroll", () => requestAnimationFrame(heatDraw), { passive: true });
  place.addEventListener("mousemove", heatHover);
  place.addEventListener("mouseleave", () => {
    heat.hover = null;
    heatDraw();
  });
  place.addEventListener("click", heatClick);
  place.addEventListener("keydown", heatKey);
  heatRefilter();
  let wide = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === wide) return;
    wide = place.clientWidth;
    heatMeasure();
    heatDraw();
  }).observe(place);
}
