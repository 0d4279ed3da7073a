// Draws the page of probes.

const number = (key, title, hint = null, digits = 2) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => fixed(row[key], digits) });
const counted = (key, title, hint = null) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => count(row[key]) });
const text = (key, title, hint = null) => ({ key, title, hint, value: (row) => row[key], draw: (row) => (missing(row[key]) ? none : row[key]) });
const bold = (key, title) => ({ key, title, value: (row) => row[key], draw: (row) => el("b", {}, row[key]) });
const ranged = (key, low, high, title, hint) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => (missing(row[key]) ? none : [fixed(row[key]), el("span", { class: "sub" }, interval(row[low], row[high]))]) });
const shared = (key, title, hint = null) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => percent(row[key]) });

const SOURCE_NAMES = { sae: "SAE", neuron: "neurons", pca: "PCA", "random-dictionary": "random dictionary", token: "tokens", confounders: "confounders" };
const effectOf = (row) => ({ spearman: "Spearman's ρ" })[row.effect_name] || row.effect_name;
const nameOf = (source) => SOURCE_NAMES[source] || source;

function overviewColumns(table) {
  const probes = Object.keys(table).filter((key) => key === "confounders all" || / (\d+|all)$/.test(key));
  const place = (key) => ["confounders", "token", "neuron", "sae"].indexOf(key.split(" ")[0]) * 1e4 + (key.endsWith("all") ? 5000 : Number(key.split(" ")[1]));
  const title = (key) => {
    const [basis, reads] = key.split(" ");
    if (basis === "confounders") return "Confounders";
    return `${basis === "sae" ? "SAE" : nameOf(basis)} ${reads}`;
  };
  return [
    { key: "label", title: "Target", value: (row) => row.label, draw: (row) => [el("b", {}, row.label), el("span", { class: "sub" }, effectOf(row))] },
    { key: "n", title: "Units", numeric: true, hint: "Held-out units with a value; below them those with the category or event", value: (row) => row.n, draw: (row) => [count(row.n), missing(row.n_positive) ? "" : el("span", { class: "sub" }, count(row.n_positive))] },
    ...probes.sort((a, b) => place(a) - place(b)).map((key) => number(key, title(key))),
    ranged("gain", "gain_low", "gain_high", "Gain", "Confounders and all features, less confounders alone"),
  ].filter((column) => !missing(table[column.key]));
}

const sitesColumns = (table) => [
  { key: "label", title: "Target", value: (row) => row.label, draw: (row) => [el("b", {}, row.label), el("span", { class: "sub" }, effectOf(row))] },
  ...Object.keys(table).filter((key) => key !== "label" && key !== "effect_name").map((key) => number(key, key)),
];

const absorptionColumns = [
  bold("concept", "Concept"),
  { key: "main", title: "Main latents", value: (row) => row.main, draw: (row) => (missing(row.main) ? none : row.main) },
  number("f1_main", "F1, main", "Of a probe on the main latents, on the select split"),
  number("f1_dense", "F1, dense", "Of the dense probe on the site, on the test split"),
  counted("n", "Rows", "Test rows that hold the concept and where the dense probe fires"),
  { key: "absorption", title: "Absorption", numeric: true, hint: "Mean absorption fraction", value: (row) => row.absorption, draw: (row) => (missing(row.absorption) ? none : [percent(row.absorption), el("span", { class: "sub" }, missing(row.ci_low) || !row.ci_high ? "" : `[${percent(row.ci_low)}, ${percent(row.ci_high)}]`)]) },
  shared("full", "Full", "Share of the rows that are fully absorbed"),
  { key: "absorbers", title: "Absorbed by", hint: "Latents that carry most where it is absorbed, and in how many rows", value: (row) => row.absorbers, draw: (row) => (missing(row.absorbers) ? el("span", { class: "muted" }, row.note || none) : row.absorbers) },
];

function lossColumns(table) {
  const sources = Object.keys(table).filter((key) => key in SOURCE_NAMES);
  return [
    bold("concept", "Concept"),
    text("origin", "Origin"),
    text("best_unit", "Best feature"),
    ...sources.map((key) => number(key, nameOf(key), "Loss of the best unit on the test split, nats", 3)),
    number("entropy", "Base rate", "Entropy of always saying the base rate, nats", 3),
    counted("n_positive", "Positives", "Test units with the concept"),
    counted("n", "Units", "Test units: rows, or subjects"),
  ];
}

const coverageColumns = [
  { key: "source", title: "Source", value: (row) => row.source, draw: (row) => el("b", {}, nameOf(row.source)) },
  text("origin", "Concepts"),
  number("coverage", "Coverage", null, 3),
  number("coverage_trivial", "Calling every row", "Mean F1", 3),
  counted("precise", "Precise for", "Concepts that some unit classifies with precision .95 or more on select"),
  number("threshold", "Threshold", "Share of a unit's largest value above which it is on", 1),
  number("reconstruction", "Reconstruction", "F1 over all rows and concepts together", 3),
  number("reconstruction_mean", "Mean of concepts", "Mean F1 of the concepts, 0 for one without a precise unit", 3),
];

function drawTable(id, columns, table) {
  const place = document.getElementById(id);
  if (!place || !table) return 0;
  const rows = rowsOf(table);
  new SortedTable(place, typeof columns === "function" ? columns(table) : columns, rows);
  return rows.length;
}

drawTable("overview-table", overviewColumns, data.overview);
if (data.sites && rowsOf(data.sites).length) {
  document.getElementById("sites-part").hidden = false;
  drawTable("sites-table", sitesColumns, data.sites);
}
drawTable("absorption-table", absorptionColumns, data.absorption);
drawTable("losses-table", lossColumns, data.losses);
drawTable("coverage-table", coverageColumns, data.coverage);
followSections();
drawCharts().then(() => {
  document.documentElement.dataset.ready = "true";
});
