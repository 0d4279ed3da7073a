// The covariate table and the table of planted concepts.

function covariateRows() {
  return rowsOf(data.covariates).map((row) => {
    const best = missing(row.pair) ? null : bestOf(row.pair);
    const tie = best && { ...best, ...scored(best), pair: row.pair, on_test: 1 };
    const better = best ? betterThan(row.pair, best.effect, best.feature) : [];
    return { ...row, best, tie, better };
  });
}

// The best feature's own row, for its verdict: among the associations carried, or in the heatmap.
function scored(best) {
  const own = [...(tiesOf.get(best.feature) || []), ...(coveredOf.get(best.pair) || [])].find((tie) => tie.pair === best.pair && tie.feature === best.feature);
  return { verdict: own ? own.verdict : drawnVerdict(best.pair, best.feature) };
}

function drawnVerdict(pair, feature) {
  const place = data.heatmap ? data.heatmap.features.indexOf(feature) : -1;
  return place < 0 ? null : heatVerdict(pair, place);
}

function nameCell(row) {
  const control = row.role === "negative-control";
  const alarm = control && row.held ? chip("control found: do not trust this run", "warn") : null;
  return [
    el("b", { title: row.splits }, covariateLink(row)),
    row.description ? el("span", { class: "sub" }, named(row.description, 160)) : null,
    alarm,
  ].filter(Boolean);
}

function sizeCell(row) {
  if (missing(row.n_test)) {
    if (missing(row.n_select)) return none;
    return [el("span", { class: "muted", title: row.splits }, count(row.n_select)), el("span", { class: "sub" }, "select split")];
  }
  const positive = missing(row.n_positive) ? [] : [el("span", { class: "sub" }, `${count(row.n_positive)} yes`)];
  return [el("span", { title: row.splits }, count(row.n_test)), ...positive];
}

function foundCell(row) {
  if (missing(row.pair)) return none;
  return [count(row.discoveries || 0), el("span", { class: "sub" }, `${count(row.held || 0)} supported`)];
}

function besideCell(row) {
  if (!row.tie || missing(row.tie.effect)) return none;
  if (!row.discoveries) return chip("nothing found", row.role === "negative-control" ? "good" : "");
  if (!row.held) return chip("not supported", "");
  const verdicts = row.better.length ? betterChips(row.better.slice(0, 2)) : [chip("no baseline does better", "good")];
  if (row.better.length > 2) verdicts.push(chip(`+${row.better.length - 2}`, "warn", row.better.slice(2).map((unit) => sourceLabel(unit.source)).join(", ")));
  return el("div", { class: "chips" }, verdicts);
}

const covariateColumns = [
  { key: "covariate", title: "Covariate", value: (row) => row.label, draw: nameCell },
  { key: "type", title: "Type", value: (row) => row.type, draw: (row) => [row.type || none, el("span", { class: "sub" }, row.role)] },
  { key: "status", title: "Status", value: (row) => row.status, draw: (row) => [row.status || none, el("span", { class: "sub" }, row.unit ? `per ${row.unit}` : "")] },
  { key: "n", title: "n", numeric: true, hint: "Observations on the test split", value: (row) => row.n_test ?? row.n_select, draw: sizeCell },
  { key: "found", title: "Found", numeric: true, hint: "Features with q on the select split at or below the level; below it those supported on the test split, beyond the confounders", value: (row) => (missing(row.pair) ? null : row.discoveries || 0), draw: foundCell },
  { key: "best", title: "Best feature", value: (row) => row.best && row.best.feature, draw: (row) => (row.best ? [featureLink(row.best.feature), el("span", { class: "sub" }, row.best.baseline.replace(/^feature \d+(, )?/, ""))] : none) },
  { key: "effect", title: "Effect on test", hint: "With its 95% interval; sorted by strength", first: "descending", value: (row) => row.tie && effectSize(row.tie), draw: (row) => (row.tie && !missing(row.tie.effect) ? [effectText(row.tie), drawStrip(row.tie, row.best.feature)] : none) },
  { key: "beside", title: "Beside its baselines", value: (row) => (row.tie ? row.better.length : null), draw: besideCell },
  { key: "verdict", title: "Verdict", value: (row) => row.tie && row.tie.verdict, draw: (row) => (row.tie ? verdictChip(row.tie.verdict) : none) },
];

// Strength on one scale for both effects: 0 is no association, 1 is perfect.
function effectSize(tie) {
  const distance = strength(tie.pair, tie.effect);
  return distance === null ? null : pairs[tie.pair].effect_name === "spearman" ? distance : 2 * distance;
}

function drawSourceLegend(place) {
  const drawn = data.sources.filter((source) => [...unitsOf.values()].flat().some((unit) => unit.source === source.name));
  place.append(...drawn.map((source) => el("span", { class: "key" }, keyGlyph(source.shape, source.color), source.label)));
}

function drawCovariates() {
  drawSourceLegend(document.getElementById("source-legend"));
  const rows = covariateRows();
  new SortedTable(document.getElementById("covariate-table"), covariateColumns, rows, { empty: "No covariate was given." });
}

function drawConcepts() {
  const place = document.getElementById("concept-table");
  if (!place || !data.concepts) return;
  const byConcept = [...grouped(rowsOf(data.concepts), "concept").values()];
  const rows = byConcept.map((units) => ({ ...units[0], by: new Map(units.map((unit) => [unit.source, unit])), top: Math.max(...units.map((unit) => unit.f1 ?? -1)) }));
  const scored = data.sources.filter((source) => rows.some((row) => row.by.has(source.name)));
  const f1 = (row, source) => (row.by.has(source.name) ? row.by.get(source.name).f1 : null);
  const columns = [
    { key: "concept", title: "Concept", value: (row) => row.concept, draw: (row) => el("b", {}, row.concept) },
    { key: "level", title: "Level", value: (row) => row.level, draw: (row) => row.level },
    { key: "n_positive", title: "With it", numeric: true, hint: "Rows, or persons, of the test split with the concept", value: (row) => row.n_positive, draw: (row) => [count(row.n_positive), el("span", { class: "sub" }, `of ${count(row.n)}`)] },
    { key: "trivial", title: "Always yes", numeric: true, value: (row) => row.trivial_f1, draw: (row) => fixed(row.trivial_f1) },
    ...scored.map((source) => ({
      key: source.name, title: `${source.label} F1`, numeric: true, value: (row) => f1(row, source), draw: (row) => conceptCell(row, source.name),
    })),
  ];
  new SortedTable(place, columns, rows);
}

function conceptCell(row, source) {
  const unit = row.by.get(source);
  if (!unit || missing(unit.f1)) return none;
  const title = `unit ${unit.best_unit}; precision ${fixed(unit.precision)}, recall ${fixed(unit.recall)}, AUROC ${fixed(unit.auroc)}`;
  const link = source === "sae" && /^\d+$/.test(unit.best_unit) ? el("span", { class: "sub" }, featureLink(Number(unit.best_unit))) : null;
  return [el("span", { title, class: unit.f1 === row.top ? "best" : "muted" }, fixed(unit.f1)), link];
}
