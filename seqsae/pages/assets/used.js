// Whether the model uses a feature: what is recovered, what ablation does, what gradients foretell.

const effectsOf = grouped(data.used ? rowsOf(data.used.effects) : [], "feature");
const movedBy = grouped(data.used ? rowsOf(data.used.tokens) : [], "feature");

// A size of any magnitude at two digits.
function sized(value) {
  if (missing(value)) return none;
  const far = Math.abs(value);
  const text = value === 0 ? "0" : far >= 100 ? value.toFixed(0) : far >= 0.001 ? value.toPrecision(2) : value.toExponential(1);
  return text.replace("e-", "e−").replace("-", "−");
}

const ends = (low, high, write = sized) => (missing(low) || missing(high) ? "" : `[${write(low)}, ${write(high)}]`);
const sub = (text) => (text ? el("span", { class: "sub" }, text) : null);
const present = (parts) => parts.filter((part) => part !== null);

function recoveredCell(row, against) {
  if (missing(row[against])) return el("span", { class: "muted", title: row[`${against}_undefined`] }, "not defined");
  const digits = (value) => fixed(value, 3);
  return present([digits(row[against]), sub(ends(row[`${against}_low`], row[`${against}_high`], digits))]);
}

const recoveredColumns = [
  { key: "objective", title: "Loss", value: (row) => row.objective, draw: (row) => row.objective },
  { key: "source", title: "Put in place", value: (row) => row.label, draw: (row) => [el("b", { title: row.unit }, row.label)] },
  { key: "where", title: "Rows", hint: "Which rows are replaced; marked: the kind that the SAE was trained on", value: (row) => row.where, draw: (row) => (row.headline ? [row.where, " ", chip("as trained", "info")] : row.where) },
  { key: "loss", title: "Loss with it", numeric: true, first: "ascending", value: (row) => row.loss, draw: (row) => fixed(row.loss, 4) },
  { key: "mean", title: "Recovered, against the mean", numeric: true, value: (row) => row.mean, draw: (row) => recoveredCell(row, "mean") },
  { key: "zero", title: "Recovered, against zeros", numeric: true, value: (row) => row.zero, draw: (row) => recoveredCell(row, "zero") },
  { key: "fvu", title: "FVU", numeric: true, first: "ascending", hint: "Fraction of the replaced rows' variance left unexplained", value: (row) => row.fvu, draw: (row) => fixed(row.fvu, 3) },
];

const measureOf = (rows, name, change = "ablate") => rows.find((row) => row.change === change && row.measure === name && !missing(row.value)) || null;
const mainOf = (rows, change) => measureOf(rows, "kl", change) || measureOf(rows, "task", change);
const changesOf = (rows) => [...new Set(rows.map((row) => row.change))].filter((change) => change !== "ablate");
const factorOf = (change) => `×${change.replace("scale", "").replace("-", "−")}`;

function effectRows() {
  return [...effectsOf].map(([feature, rows]) => ({ feature, rows, main: mainOf(rows) }));
}

function measureCell(one) {
  return one ? present([sized(one.value), sub(ends(one.ci_low, one.ci_high))]) : none;
}

function percentileCell(one) {
  if (!one || missing(one.percentile)) return none;
  const title = `Median of ${one.n_matched} like features ${sized(one.matched_median)}; firing rates within a factor of ${fixed(one.rate_fold)}, what is written when on of ${fixed(one.written_fold)}`;
  return present([el("span", { title }, one.percentile.toFixed(0)), sub(rankEnds(one)), sub(`of ${count(one.n_matched)}, median ${sized(one.matched_median)}`)]);
}

const rankEnds = (one) => ends(one.percentile_low, one.percentile_high, (value) => value.toFixed(0));

// Two columns a factor: what steering by it changes, and the percentile.
function steeredColumns(rows) {
  const changes = [...new Set(rows.flatMap((row) => changesOf(row.rows)))];
  return changes.flatMap((change) => {
    const one = (row) => mainOf(row.rows, change);
    const named = factorOf(change);
    return [
      { key: change, title: `Steered ${named}`, hint: "The same measure as for ablation, with its value multiplied where it is on", numeric: true, value: (row) => (one(row) ? one(row).value : null), draw: (row) => measureCell(one(row)) },
      { key: `${change}-percentile`, title: `Percentile, ${named}`, hint: "Among the same like features, steered by the same factor", numeric: true, value: (row) => one(row) && one(row).percentile, draw: (row) => percentileCell(one(row)) },
    ];
  });
}

function movedChip(row) {
  const sign = row.added_probability > 0 ? "+" : "";
  const title = `${spelled(row.token)}: probability ${sign}${sized(row.added_probability)} ${ends(row.ci_low, row.ci_high)}, log-probability ${sized(row.added_log_probability)} nats, with the feature ${sized(row.probability)}`;
  return chip(`${nameOf(row.token) ?? row.token} ${sign}${sized(row.added_probability)}`, "moved", title);
}

function movedCell(feature, direction, most) {
  const rows = (movedBy.get(feature) || []).filter((row) => row.change === "ablate" && row.direction === direction);
  return rows.length ? el("div", { class: "chips" }, rows.slice(0, most).map(movedChip)) : none;
}

const measureTitles = {
  kl: ["KL, nats", "From the model's distribution to the one without the feature, at the scored positions of samples in which it fires"],
  task: ["Task loss", "Rise of the task's loss"],
  tv: ["Total variation", "At the same positions"],
  loss: ["Loss, nats", "Rise of the model's own loss at the same positions"],
  "kl-own": ["KL at its rows", "Nats, at the rows where it fires"],
  sparsity: ["Sparsity", "Of the change of the logits over the vocabulary at each position: near 0 a few tokens alone, 0.64 all at random, 1 all by the same size"],
};

function effectColumns(rows) {
  const seen = Object.keys(measureTitles).filter((name) => rows.some((row) => measureOf(row.rows, name)));
  const measures = seen.map((name) => {
    const [title, hint] = measureTitles[name];
    const one = (row) => measureOf(row.rows, name);
    return { key: name, title, hint, numeric: true, value: (row) => (one(row) ? one(row).value : null), draw: (row) => measureCell(one(row)) };
  });
  const token = (row) => (featureOf.has(row.feature) ? featureOf.get(row.feature).best_token : null);
  const moved = [
    { key: "raised", title: "Raises", hint: "Tokens whose probability it raises most, and by how much", draw: (row) => movedCell(row.feature, "raised", 2) },
    { key: "lowered", title: "Lowers", hint: "Tokens whose probability it lowers most", draw: (row) => movedCell(row.feature, "lowered", 2) },
  ];
  return [
    { key: "feature", title: "Feature", first: "ascending", value: (row) => row.feature, draw: (row) => present([featureLink(row.feature), sub(token(row))]) },
    ...measures.slice(0, 1),
    { key: "percentile", title: "Percentile", numeric: true, hint: "Percent of the like features whose ablation changes less, in size", value: (row) => row.main && row.main.percentile, draw: (row) => percentileCell(row.main) },
    ...steeredColumns(rows),
    ...measures.slice(1),
    ...(movedBy.size ? moved : []),
    { key: "n", title: "Samples", numeric: true, hint: "In which it was ablated; below it their clusters", value: (row) => row.rows[0].n_samples, draw: (row) => [count(row.rows[0].n_samples), sub(`${count(row.rows[0].n_clusters)} clusters`)] },
  ];
}

const attributionColumns = [
  { key: "feature", title: "Feature", first: "ascending", value: (row) => row.feature, draw: (row) => featureLink(row.feature) },
  { key: "objective", title: "Loss", value: (row) => row.objective, draw: (row) => row.objective },
  ...[["ablation", "By ablation"], ["gradient_activation", "Gradient times activation"], ["integrated_gradients", "Integrated gradients"]].map(([key, title]) => ({ key, title, numeric: true, value: (row) => row[key], draw: (row) => sized(row[key]) })),
  { key: "n", title: "Ablations", numeric: true, value: (row) => row.n_samples, draw: (row) => count(row.n_samples) },
];

function drawUsed() {
  if (!data.used) return;
  const recovered = rowsOf(data.used.recovered);
  const several = new Set(recovered.map((row) => row.objective)).size > 1;
  new SortedTable(document.getElementById("recovered-table"), several ? recoveredColumns : recoveredColumns.slice(1), recovered);
  const place = document.getElementById("effect-table");
  const rows = effectRows();
  if (place) new SortedTable(place, effectColumns(rows), rows, { page: 50 });
  const attribution = rowsOf(data.used.attribution);
  document.getElementById("attribution-more").hidden = !attribution.length;
  if (attribution.length) new SortedTable(document.getElementById("attribution-table"), attributionColumns, attribution, { page: 50 });
}

function changedLine(change, one) {
  const how = change === "ablate" ? "Without it" : `Steered ${factorOf(change)}`;
  if (!one) return `${how}: not measured.`;
  const what = one.measure === "kl" ? "KL" : "task loss";
  const among = missing(one.percentile) ? "" : `, percentile ${one.percentile.toFixed(0)} ${rankEnds(one)} of ${count(one.n_matched)} like features`;
  return `${how}: ${what} ${sized(one.value)} ${one.unit} ${ends(one.ci_low, one.ci_high)}${among}.`;
}

// The lines of a feature's card; nothing where it was not ablated.
function usedLines(feature) {
  const rows = effectsOf.get(feature) || [];
  if (!mainOf(rows)) return [];
  const moved = ["raised", "lowered"].filter((way) => (movedBy.get(feature) || []).some((row) => row.direction === way));
  return [
    el("h4", {}, "In the model"),
    ...["ablate", ...changesOf(rows)].map((change) => el("p", { class: "line used" }, changedLine(change, mainOf(rows, change)))),
    ...moved.map((way) => el("div", { class: `line ${way}` }, el("span", { class: "muted" }, way === "raised" ? "Raises " : "Lowers "), movedCell(feature, way, 5))),
  ];
}
