// A small drawing of one association: the feature's interval, and its baselines on the same axis.

const strip = { width: 148, height: 22, pad: 5 };

function symbol(shape, x, y, size, color) {
  const half = size / 2;
  const at = (points) => points.map(([dx, dy]) => `${(x + dx * half).toFixed(1)},${(y + dy * half).toFixed(1)}`).join(" ");
  const polygons = {
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    diamond: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
    "triangle-up": [[0, -1.1], [1.1, 0.9], [-1.1, 0.9]],
    "triangle-down": [[0, 1.1], [1.1, -0.9], [-1.1, -0.9]],
    "triangle-right": [[1.1, 0], [-0.9, 1.1], [-0.9, -1.1]],
    "triangle-left": [[-1.1, 0], [0.9, 1.1], [0.9, -1.1]],
    wedge: [[0, -1.1], [0.6, 0.9], [-0.6, 0.9]],
    cross: [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]],
    stroke: [[-1, -0.2], [1, -0.2], [1, 0.2], [-1, 0.2]],
  };
  if (!polygons[shape]) return svg("circle", { cx: x.toFixed(1), cy: y, r: half, fill: color });
  return svg("polygon", { points: at(polygons[shape]), fill: color });
}

function keyGlyph(shape, color) {
  return svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, symbol(shape, 6, 6, 9, color));
}

// tie: {pair, effect, ci_low, ci_high}. Effects are turned upward, so that right is always stronger.
function drawStrip(tie, feature) {
  const { width, height, pad } = strip;
  const auroc = pairs[tie.pair].effect_name !== "spearman";
  const [low, high] = auroc ? [0.4, 1] : [-0.2, 1];
  const at = (value) => pad + ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (width - 2 * pad);
  const turn = (value) => upward(tie.pair, value, tie.effect);
  const middle = height / 2;
  const baselines = baselinesOf(tie.pair, feature).filter((unit) => !missing(unit.effect));
  const said = baselines.map((unit) => `${sourceLabel(unit.source)} ${fixed(unit.effect)}`).join(", ");
  const label = `Effect ${fixed(tie.effect)} ${interval(tie.ci_low, tie.ci_high)}. Best of each baseline: ${said || "none"}.`;
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "strip", role: "img", "aria-label": label });
  drawing.append(svg("title", {}, label));
  drawing.append(svg("line", { x1: pad, x2: width - pad, y1: middle, y2: middle, stroke: "#e3e8ee" }));
  const zero = at(nothing(tie.pair));
  drawing.append(svg("line", { x1: zero, x2: zero, y1: 2, y2: height - 2, stroke: "#8592a0", "stroke-dasharray": "2 2" }));
  if (onTest(tie)) {
    const ends = [tie.ci_low, tie.ci_high].map((end) => at(turn(missing(end) ? tie.effect : end))).sort((a, b) => a - b);
    const bar = { x: ends[0], y: middle - 2.5, width: Math.max(ends[1] - ends[0], 1), height: 5, rx: 2.5 };
    drawing.append(svg("rect", { ...bar, fill: "#0072B2", opacity: 0.3 }));
  }
  for (const unit of baselines) {
    const source = sources.get(unit.source);
    drawing.append(symbol(source.shape, at(unit.effect), middle, 7, source.color));
  }
  drawing.append(svg("circle", { cx: at(turn(tie.effect)), cy: middle, r: 4.5, fill: "#0072B2", stroke: "#fff" }));
  return drawing;
}

function effectText(tie) {
  const name = pairs[tie.pair].effect_name === "spearman" ? "ρ" : pairs[tie.pair].effect_name;
  const where = onTest(tie) ? interval(tie.ci_low, tie.ci_high) : "select split";
  return el("span", { class: "effect", title: `${name} ${fixed(tie.effect, 3)}` }, `${name} ${fixed(tie.effect)} `, el("span", { class: "muted" }, where));
}
