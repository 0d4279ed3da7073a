// The tables of a release as rows, and the associations.

const tables = Object.fromEntries(Object.entries(data.tables).map(([id, columns]) => [id, rowsOf(columns)]));
const table = (id) => tables[id] ?? [];
const tiesOf = grouped(table("associations"), "feature");
const tokensOf = grouped(table("tokens"), "feature");
const levelsOf = grouped(table("crossed"), "feature");
const crude = { AUROC: 0.5, "C-index": 0.5, spearman: 0 };
const atLeast = (value) => (missing(value) ? none : `≈ ${count(value)}`);
const ladder = (value) => (missing(value) ? none : value <= 1e-16 ? "≤ 1e−16" : `≤ ${value >= 0.001 ? value : value.toExponential(0).replace("e-", "e−")}`);
const labelOf = (row) => row.covariate + (missing(row.category) ? "" : ` = ${row.category}`) + (row.unit === "subject" ? "" : ` (per ${row.unit})`);
const verdictKind = { supported: "good", confounded: "warn", "token-readout": "warn", "position-readout": "warn", unstable: "warn" };
const verdictChip = (verdict) => chip(verdict, verdictKind[verdict] ?? "", null);
const featureLink = (feature) => el("a", { class: "feature", href: `#feature-${feature}` }, `#${feature}`);
const strength = (effect, name) => (missing(effect) ? null : Math.abs(effect - crude[name]) * (name === "spearman" ? 1 : 2));

function drawRun() {
  const total = table("splits").reduce((sum, row) => sum + (row.subjects ?? 0), 0);
  const supported = table("associations").filter((row) => row.verdict === "supported").length;
  const tiles = [
    [`≈ ${count(total)}`, "subjects", "rounded, all splits together"],
    [count(table("features").length), "features", `in at least ${Math.max(20, data.threshold)} subjects of the train and the test split`],
    [count(table("associations").length), "associations", "found on the select split"],
    [count(supported), "supported", "on the test split, beyond the confounders"],
  ];
  const tile = ([number, label, note]) => el("div", { class: "tile" }, el("b", {}, number), el("span", {}, label), el("span", { class: "tile-note" }, note));
  document.getElementById("tiles").replaceChildren(...tiles.map(tile));
  const line = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  document.getElementById("split-list").replaceChildren(...table("splits").map((row) => line(row.split, count(row.subjects))));
  document.getElementById("fact-list").replaceChildren(...table("facts").map((row) => line(row.fact, row.value)));
}

// The crude interval as a bar with a point, and the adjusted one as a line below it; each on its own scale around none.
function strip(row) {
  const [width, height, pad] = [132, 26, 6];
  const none = crude[row.effect_name];
  const half = row.effect_name === "spearman" ? 0.6 : 0.3;
  const at = (value, middle, reach) => pad + (Math.min(1, Math.max(-1, (value - middle) / reach)) * 0.5 + 0.5) * (width - 2 * pad);
  const said = `${row.effect_name} ${row.effect} ${interval(row.ci_low, row.ci_high)}; beyond the confounders ${row.adjusted_name} ${row.effect_adjusted ?? "not told"} ${interval(row.ci_low_adjusted, row.ci_high_adjusted)}; test split, ${atLeast(row.n)} subjects known`;
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said }, svg("title", {}, said));
  const centre = at(none, none, half);
  drawing.append(svg("line", { x1: centre, x2: centre, y1: 1, y2: height - 1, stroke: "#8592a0", "stroke-dasharray": "2 2" }));
  const bar = (low, high, middle, reach, y, color, thick) => {
    const ends = [at(low, middle, reach), at(high, middle, reach)];
    drawing.append(svg("rect", { x: ends[0], y: y - thick / 2, width: Math.max(1, ends[1] - ends[0]), height: thick, rx: thick / 2, fill: color, opacity: 0.35 }));
  };
  if (!missing(row.ci_low)) bar(row.ci_low, row.ci_high, none, half, 9, "#0072B2", 7);
  if (!missing(row.effect)) drawing.append(svg("circle", { cx: at(row.effect, none, half), cy: 9, r: 4.2, fill: "#0072B2", stroke: "#fff" }));
  const reach = row.adjusted_name === "partial spearman" ? 0.8 : 1.5;
  if (!missing(row.ci_low_adjusted)) bar(row.ci_low_adjusted, row.ci_high_adjusted, 0, reach, 20, "#D55E00", 4);
  if (!missing(row.effect_adjusted)) drawing.append(svg("rect", { x: at(row.effect_adjusted, 0, reach) - 2.5, y: 17.5, width: 5, height: 5, fill: "#D55E00" }));
  return drawing;
}

const effectText = (row) => [`${fixed(row.effect, 2)} `, el("span", { class: "muted" }, interval(row.ci_low, row.ci_high))];
const adjustedText = (row) => [`${fixed(row.effect_adjusted, 2)} `, el("span", { class: "muted" }, interval(row.ci_low_adjusted, row.ci_high_adjusted)), el("span", { class: "sub" }, row.adjusted_name)];
const tieColumns = [
  { key: "feature", title: "Feature", value: (row) => row.feature, draw: (row) => [featureLink(row.feature), el("span", { class: "sub ellip" }, topTokens(row.feature, 1))] },
  { key: "covariate", title: "Covariate", value: labelOf, draw: (row) => [labelOf(row), el("span", { class: "sub" }, row.kind)] },
  { key: "verdict", title: "Verdict", value: (row) => row.verdict, draw: (row) => verdictChip(row.verdict) },
  { key: "strip", title: "Crude, adjusted", value: (row) => strength(row.effect, row.effect_name), first: "descending", draw: strip },
  { key: "effect", title: "Crude", numeric: true, value: (row) => row.effect, draw: (row) => [...effectText(row), el("span", { class: "sub" }, row.effect_name)] },
  { key: "adjusted", title: "Adjusted", numeric: true, value: (row) => row.effect_adjusted, draw: adjustedText },
  { key: "p", title: "p", hint: "Beyond the confounders, Holm-corrected, test split: the step of a ladder that it does not exceed", numeric: true, first: "ascending", value: (row) => row.p_test_adjusted_holm, draw: (row) => ladder(row.p_test_adjusted_holm) },
  { key: "n", title: "n", numeric: true, hint: "Subjects of the test split of whom the covariate is known, rounded", value: (row) => row.n, draw: (row) => [count(row.n), missing(row.n_positive) ? "" : el("span", { class: "sub" }, `${count(row.n_positive)} in it`)] },
  { key: "seeds", title: "Seeds", numeric: true, hint: "SAE seeds that repeat it", value: (row) => row.replicated_seeds, draw: (row) => (missing(row.n_seeds) ? none : `${row.replicated_seeds ?? 0} of ${row.n_seeds}`) },
];

const topTokens = (feature, n = 3) => (tokensOf.get(feature) ?? []).slice(0, n).map((row) => row.token).join(", ");

function drawTies() {
  const place = document.getElementById("tie-table");
  if (!place) return;
  const order = ["supported", "unstable", "token-readout", "position-readout", "inconclusive", "confounded", "not-replicated"];
  const rank = (row) => (order.indexOf(row.verdict) + order.length + 1) % (order.length + 1);
  const rows = [...table("associations")].sort((a, b) => rank(a) - rank(b) || strength(b.effect, b.effect_name) - strength(a.effect, a.effect_name));
  const choice = document.getElementById("covariate-choice");
  const names = [...new Set(rows.map(labelOf))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  choice.append(el("option", { value: "" }, "all covariates"), ...names.map((name) => el("option", { value: name }, name)));
  const drawn = new SortedTable(place, tieColumns, rows, { page: 40, empty: "No association of that kind." });
  const [search, only] = ["tie-search", "only-supported"].map((id) => document.getElementById(id));
  const refilter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (row) => `#${row.feature} ${labelOf(row)} ${row.verdict} ${topTokens(row.feature)}`.toLowerCase();
    const keep = (row) => (!choice.value || labelOf(row) === choice.value) && (!only.checked || row.verdict === "supported") && words.every((word) => text(row).includes(word));
    document.getElementById("tie-count").textContent = `${count(drawn.filter(keep))} of ${count(rows.length)} associations`;
  };
  for (const part of [choice, only]) part.addEventListener("change", refilter);
  search.addEventListener("input", refilter);
  refilter();
}
