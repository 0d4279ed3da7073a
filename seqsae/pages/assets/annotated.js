// Annotated concepts and position patterns.

const scoreTitles = { f1: "Token F1", f1_per_domain: "F1 per domain" };
const noted = data.annotated || {};
const patternOf = new Map(rowsOf(noted.patterns).map((row) => [row.feature, row]));
const conceptOf = new Map(rowsOf(noted.own).map((row) => [row.unit, row]));
const conceptName = (row) => `${row.covariate} = ${row.value}`;
const unitSources = noted.sources || [];
const titleOf = (name) => (unitSources.find((source) => source.name === name) || { label: name }).label;

const rounded = (value) => (missing(value) ? none : String(Number(value.toFixed(1))));
const beside = (value, text) => [value, el("span", { class: "sub" }, text)];

const matchColumns = [
  { key: "score", title: "Score", value: (row) => scoreTitles[row.score], draw: (row) => scoreTitles[row.score] },
  { key: "source", title: "Source", value: (row) => titleOf(row.source), draw: (row) => el("b", {}, titleOf(row.source)) },
  { key: "concepts", title: "Concepts matched", numeric: true, hint: "Concepts that at least one unit matches: above 0.5, and a fifth of the way from always yes to 1", value: (row) => row.concepts_matched, draw: (row) => beside(count(row.concepts_matched), `of ${count(row.concepts)}`) },
  { key: "null_concepts", title: "By chance", numeric: true, hint: "With the labels of each sequence shifted; mean over draws", value: (row) => row.null_concepts, draw: (row) => fixed(row.null_concepts, 1) },
  { key: "beyond", title: "Beyond", numeric: true, hint: "Concepts whose best unit matches and scores above every shifted draw; chance alone is above all n draws once in n + 1 times, and the draws do not hold the position fixed", value: (row) => row.concepts_beyond, draw: (row) => count(row.concepts_beyond) },
  { key: "units", title: "Units matched", numeric: true, hint: "Units with a concept that they match", value: (row) => row.units_matched, draw: (row) => beside(count(row.units_matched), `of ${count(row.units)}`) },
  { key: "null_units", title: "By chance", numeric: true, value: (row) => row.null_units, draw: (row) => fixed(row.null_units, 1) },
  { key: "mean", title: "Mean score", numeric: true, hint: "Mean over concepts of their best unit's score; below it the same by chance", value: (row) => row.mean_f1, draw: (row) => beside(fixed(row.mean_f1), `chance ${fixed(row.mean_f1_null)}`) },
];

function bestCell(row) {
  if (missing(row.unit)) return none;
  return [featureLink(row.unit), el("span", { class: "sub" }, `> ${sized(row.threshold)}`)];
}

function pairColumns() {
  const figure = (key, title, hint) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => fixed(row[key]) });
  const others = unitSources.filter((source) => source.name !== "sae");
  const pattern = (row) => (patternOf.has(row.unit) ? patternOf.get(row.unit).pattern : null);
  return [
    { key: "concept", title: "Concept", value: conceptName, draw: (row) => beside(el("b", {}, conceptName(row)), `${count(row.n_instances_test)} on test`) },
    { key: "feature", title: "Best feature", first: "ascending", hint: "And the share of its largest train value above which it is on; both chosen on the select split", value: (row) => row.unit, draw: bestCell },
    { key: "sae", title: "Score", numeric: true, hint: "On the test split, with its 95% interval over clusters", value: (row) => row.sae, draw: (row) => (missing(row.sae) ? none : beside(el("span", { class: "best" }, fixed(row.sae)), interval(row.ci_low, row.ci_high))) },
    figure("f1_null", "By chance", "The highest score over draws of shifted labels"),
    figure("trivial_f1", "Always yes", "Score of calling every row"),
    figure("own_precision", "Precision", "Share of its called rows that have the concept"),
    figure("own_recall", "Recall", "Share of the concept's rows that it calls"),
    figure("own_domain_recall", "Domain recall", "Share of the concept's instances with at least one called row"),
    figure("auroc", "AUROC", "Of its value over all rows, no threshold"),
    { key: "pattern", title: "Pattern", value: pattern, draw: (row) => pattern(row) ?? none },
    ...others.map((source) => figure(source.name, source.label, "The same score of this source's best unit")),
  ];
}

// One score at a time; a button each.
function drawPairs(place) {
  const table = new SortedTable(place, pairColumns(), rowsOf(noted.best));
  const buttons = Object.keys(scoreTitles).map((score) => el("button", { type: "button", class: "key", "data-score": score, onclick: () => pick(score) }, scoreTitles[score]));
  const pick = (score) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.score === score));
    table.filter((row) => row.score === score);
  };
  document.getElementById("score-choice").append(...buttons);
  pick("f1");
}

const patternTexts = {
  point: "single rows",
  motif: "stretches of several rows",
  periodic: "comes back at a fixed distance",
  whole: "most rows of a sequence",
  rare: "on in fewer than five samples",
  dead: "never on",
};

const periodOf = (row) => (row.pattern === "periodic" ? row.period : null);

const patternColumns = [
  { key: "pattern", title: "Pattern", value: (row) => row.pattern, draw: (row) => [el("b", {}, row.pattern), sub(patternTexts[row.pattern])] },
  { key: "features", title: "Features", numeric: true, value: (row) => row.features, draw: (row) => count(row.features) },
  { key: "run", title: "Rows in a stretch", numeric: true, value: (row) => row.run_length, draw: (row) => rounded(row.run_length) },
  { key: "runs", title: "Stretches in a sample", numeric: true, value: (row) => row.runs_per_sample, draw: (row) => rounded(row.runs_per_sample) },
  { key: "coverage", title: "Share of its rows", numeric: true, hint: "Of a sample in which it is on", value: (row) => row.coverage, draw: (row) => percent(row.coverage) },
  { key: "period", title: "Period", numeric: true, hint: "Rows from one to the next", value: periodOf, draw: (row) => rounded(periodOf(row)) },
];

function drawAnnotated() {
  if (!data.annotated) return;
  new SortedTable(document.getElementById("pattern-table"), patternColumns, rowsOf(noted.kinds));
  if (!noted.matches) return;
  new SortedTable(document.getElementById("match-table"), matchColumns, rowsOf(noted.matches));
  document.getElementById("matched-legend").append(...unitSources.map((source) => el("span", { class: "key" }, keyGlyph("square", source.color), source.label)));
  drawPairs(document.getElementById("pair-table"));
}

// The lines of a feature's card: its best concept and where it is on.
function conceptLines(feature) {
  const [own, pattern] = [conceptOf.get(feature), patternOf.get(feature)];
  if (!own && !pattern) return [];
  const concept = own && `${conceptName(own)}: token F1 ${fixed(own.f1)}, F1 per domain ${fixed(own.f1_per_domain)}, on above ${sized(own.threshold)}`;
  const where = pattern && [`stretches of ${rounded(pattern.run_length)}`, `${percent(pattern.coverage)} of a sample's rows`, missing(periodOf(pattern)) ? null : `period ${periodOf(pattern)}`].filter(Boolean).join(", ");
  return [
    el("h4", {}, own ? "Annotated concept" : "Where it is on"),
    own ? el("p", { class: "line concept" }, concept) : null,
    pattern ? el("p", { class: "line pattern" }, chip(pattern.pattern, "", patternTexts[pattern.pattern]), missing(pattern.run_length) ? null : where) : null,
  ].filter((line) => line !== null);
}
