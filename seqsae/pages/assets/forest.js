// Forest plots of one covariate: crude and adjusted effects with their intervals, the best of each baseline as ticks.

const forest = { wide: 290, narrow: 220, height: 30, pad: 8 };
const verdictLooks = {
  supported: ["#009E73", "circle"],
  unstable: ["#56B4E9", "diamond"],
  "token-readout": ["#D55E00", "triangle-up"],
  "position-readout": ["#CC79A7", "triangle-right"],
  confounded: ["#E69F00", "square"],
  inconclusive: ["#6d7a88", "cross"],
  "not-replicated": ["#7A4E9E", "triangle-down"],
  "not-selected": ["#c3cad2", "circle"],
};
const verdictLook = (verdict) => verdictLooks[verdict] ?? ["#8592a0", "circle"];

// Ends that hold all values and what stands for no effect, a little wider, on both sides if any lies below it.
function axisOf(values, none, least) {
  const far = values.filter((value) => !missing(value)).map((value) => value - none);
  const high = Math.max(least, ...far);
  const low = Math.min(...far, 0);
  const room = 0.06 * (high - low);
  return { none, low: none + Math.min(low, -least / 4) - room, high: none + high + room };
}

function scaleOf(axis, width) {
  const inner = width - 2 * forest.pad;
  return (value) => forest.pad + ((Math.min(Math.max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low)) * inner;
}

function niceTicks({ low, high, none }) {
  const rough = (high - low) / 4;
  const scale = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((size) => size * scale).find((size) => size >= rough);
  const ticks = [];
  for (let at = none - Math.floor((none - low) / step) * step; at <= high; at += step) ticks.push(Number(at.toPrecision(10)));
  return ticks;
}

function drawAxis(axis, width, label) {
  const at = scaleOf(axis, width);
  const drawing = svg("svg", { width, height: 20, viewBox: `0 0 ${width} 20`, class: "forest-axis", role: "img", "aria-label": `${label}, from ${fixed(axis.low)} to ${fixed(axis.high)}` });
  for (const tick of niceTicks(axis)) {
    drawing.append(svg("line", { x1: at(tick), x2: at(tick), y1: 15, y2: 20, stroke: "#8592a0" }));
    const text = svg("text", { x: at(tick), y: 11, "text-anchor": "middle", fill: "#5b6775", "font-size": 11 });
    text.append(String(tick).replace("-", "−"));
    drawing.append(text);
  }
  return drawing;
}

function frame(axis, width, label, height = forest.height) {
  const at = scaleOf(axis, width);
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "forest-row", role: "img", "aria-label": label });
  drawing.append(svg("title", {}, label));
  for (const tick of niceTicks(axis)) drawing.append(svg("line", { x1: at(tick), x2: at(tick), y1: 0, y2: height, stroke: "#eef1f4" }));
  drawing.append(svg("line", { x1: at(axis.none), x2: at(axis.none), y1: 0, y2: height, stroke: "#8592a0", "stroke-dasharray": "3 3" }));
  return [drawing, at];
}

function band(drawing, at, axis, smallest, height = forest.height) {
  const [left, right] = [at(axis.none - smallest), at(axis.none + smallest)];
  drawing.append(svg("rect", { x: left, y: 0, width: right - left, height, fill: "#8592a0", opacity: 0.13 }));
}

function whisker(drawing, at, low, high, value, color, shape, middle = forest.height / 2) {
  if (!missing(low) && !missing(high)) {
    drawing.append(svg("line", { x1: at(low), x2: at(high), y1: middle, y2: middle, stroke: color, "stroke-width": 2.4, "stroke-linecap": "round" }));
  }
  if (!missing(value)) drawing.append(symbol(shape, at(value), middle, 9, color));
}

// The best of each baseline, turned to the side on which the feature lies.
function crudeRow(row, axis, baselines) {
  const side = row.effect < axis.none ? -1 : 1;
  const [drawing, at] = frame(axis, forest.wide, effectsSaid(row));
  for (const unit of baselines) {
    const x = at(axis.none + side * (unit.effect - axis.none));
    drawing.append(svg("line", { x1: x, x2: x, y1: 4, y2: forest.height - 4, stroke: sources.get(unit.source).color, "stroke-width": 1.6, opacity: 0.75 }));
  }
  whisker(drawing, at, row.ci_low, row.ci_high, row.effect, ...verdictLook(row.verdict));
  return drawing;
}

function adjustedRow(row, axis, smallest) {
  const [drawing, at] = frame(axis, forest.narrow, effectsSaid(row));
  band(drawing, at, axis, smallest);
  const [color, shape] = verdictLook(row.verdict);
  whisker(drawing, at, row.ci_low_adjusted, row.ci_high_adjusted, row.effect_adjusted, color, shape);
  const small = (value, letter, y) => {
    if (missing(value)) return;
    const text = svg("text", { x: at(value), y, "text-anchor": "middle", "font-size": 9.5, "font-weight": 650, fill: "#3c4855" });
    text.append(letter);
    drawing.append(text);
  };
  small(row.effect_given_token, "t", 10);
  small(row.effect_given_products, "p", forest.height - 2);
  return drawing;
}

function baselineRow(axis, baselines) {
  const said = baselines.map((unit) => `${sourceLabel(unit.source)}: ${unit.baseline.slice(0, 60)}, ${fixed(unit.effect, 3)} ${interval(unit.ci_low, unit.ci_high)}`).join("\n");
  const [drawing, at] = frame(axis, forest.wide, said || "No baseline was scored.", 36);
  const lanes = [];
  for (const unit of [...baselines].sort((a, b) => a.effect - b.effect)) {
    const x = at(unit.effect);
    let lane = lanes.findIndex((last) => x - last > 10);
    if (lane < 0) lane = lanes.length < 3 ? lanes.length : 2;
    lanes[lane] = x;
    const source = sources.get(unit.source);
    drawing.append(symbol(source.shape, x, 8 + 10 * lane, 8.5, source.color));
  }
  return drawing;
}

const splitOf = (row) => (row.verdict === "not-selected" || missing(row.p_test) ? "select split" : "test split");
const ofN = (n, positive) => `n ${count(n)}${missing(positive) ? "" : ` (${count(positive)} yes)`}`;

function effectsSaid(row) {
  const name = pairs[row.pair].effect_name;
  const crude = `${name} ${fixed(row.effect, 3)} ${interval(row.ci_low, row.ci_high)}, ${ofN(row.n, row.n_positive)}`;
  const adjusted = missing(row.effect_adjusted) ? "not adjusted" : `${row.adjusted_name} ${fixed(row.effect_adjusted, 3)} ${interval(row.ci_low_adjusted, row.ci_high_adjusted)}, ${ofN(row.n_adjusted, row.n_positive_adjusted)}`;
  return `Crude: ${crude}.\nBeyond the confounders: ${adjusted}.\n${splitOf(row)}`;
}
