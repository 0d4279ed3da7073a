// Draws the page of a sweep.

const flag = (on, text, kind) => (on ? chip(text, kind) : "");

const frontierColumns = [
  { key: "name", title: "SAE", value: (row) => row.name, draw: (row) => [el("b", {}, row.name), " ", flag(row.recommended, "recommended", "good")] },
  { key: "width", title: "Latents", numeric: true, first: "ascending", value: (row) => row.width, draw: (row) => count(row.width) },
  { key: "l0", title: "L0", numeric: true, first: "ascending", value: (row) => row.l0, draw: (row) => fixed(row.l0) },
  { key: "fvu", title: "FVU", numeric: true, first: "ascending", value: (row) => row.fvu, draw: (row) => fixed(row.fvu, 4) },
  { key: "frontier", title: "Frontier", hint: "No other width and sparsity has a lower mean FVU at a mean L0 no more than 5% higher", value: (row) => (row.on_frontier ? 0 : 1), draw: (row) => flag(row.on_frontier, "on it", "info") },
  { key: "dead", title: "Dead", numeric: true, hint: "Share of latents that fire on no held-out row", value: (row) => row.dead, draw: (row) => percent(row.dead) },
  { key: "dense", title: "Dense", numeric: true, hint: "Share of latents that fire on more than a tenth of the rows", value: (row) => row.dense, draw: (row) => percent(row.dense) },
  { key: "seeds", title: "MMCS, seeds", numeric: true, hint: "Mean largest cosine of its live latents with those of the other seeds; below it what random directions reach", value: (row) => row.mmcs_seeds, draw: (row) => beside(row.mmcs_seeds, row.chance_seeds) },
  { key: "larger", title: "MMCS, larger", numeric: true, hint: "The same with the next larger SAEs of its sparsity; below it what random directions reach", value: (row) => row.agreement, draw: (row) => beside(row.agreement, row.chance) },
  { key: "zone", title: "Right size", hint: "In the Goldilocks zone of the sweep: few dead latents, agreement with larger SAEs near the highest", value: (row) => (row.in_zone ? 0 : 1), draw: (row) => flag(row.in_zone, "in the zone", "info") },
];

function beside(value, chance) {
  return missing(value) ? none : [fixed(value), el("span", { class: "sub" }, `chance ${fixed(chance)}`)];
}

const counted = (key, title, hint) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw: (row) => count(row[key]) });
const nameColumns = [
  { key: "small", title: "Smaller", value: (row) => row.small, draw: (row) => row.small },
  { key: "large", title: "Larger", value: (row) => row.large, draw: (row) => row.large },
];

const splittingColumns = [
  ...nameColumns,
  counted("live", "Live latents", "Latents of the smaller SAE that fire on held-out rows"),
  counted("same", "Kept", "They have one latent of the larger that stands for them, and no other part"),
  counted("split", "Split", "Two or more latents of the larger are the same or a part of them"),
  counted("part", "Narrowed", "One latent of the larger, which covers a part of their firing"),
  counted("wider", "Merged", "They lie within latents of the larger that fire more widely"),
  counted("gone", "Not found", "No latent of the larger points their way and fires with them"),
];

const stitchingColumns = [
  ...nameColumns,
  counted("novel", "Novel", "Put into the smaller SAE, they lower its error"),
  counted("reconstruction", "Reconstruction", "Put into the smaller SAE, they raise its error: it had that part already"),
  counted("unclear", "Unclear", "Change of the error within two standard errors of 0"),
  counted("unseen", "Unseen", "They fire on no held-out row"),
  { key: "auroc", title: "AUROC", numeric: true, hint: "How well a low cosine tells novel from reconstruction", value: (row) => row.auroc, draw: (row) => fixed(row.auroc) },
  { key: "agree", title: "At .7", numeric: true, hint: "Share told rightly at a cosine of .7, the mean of both kinds", value: (row) => row.agree, draw: (row) => percent(row.agree) },
  { key: "threshold", title: "Best threshold", numeric: true, hint: "Cosine at which most are told rightly; below it the share", value: (row) => row.threshold, draw: (row) => (missing(row.threshold) ? none : [fixed(row.threshold), el("span", { class: "sub" }, percent(row.agree_threshold))]) },
];

function drawTable(id, columns, rows) {
  const place = document.getElementById(id);
  if (place) new SortedTable(place, columns, rowsOf(rows));
}

drawTable("frontier-table", frontierColumns, data.frontier);
drawTable("splitting-table", splittingColumns, data.splitting);
drawTable("stitching-table", stitchingColumns, data.stitching);
followSections();
drawCharts().then(() => {
  document.documentElement.dataset.ready = "true";
});
