// One SAE at each of several sites.

function layerColumns(rows) {
  const has = (key) => rows.some((row) => !missing(row[key]));
  const number = (key, title, draw, hint = null) => ({ key, title, hint, numeric: true, value: (row) => row[key], draw });
  const counted = (key, title, hint) => number(key, title, (row) => count(row[key]), hint);
  const matched = (key, below, title, hint) => number(key, title, (row) => (missing(row[key]) ? none : present([count(row[key]), sub(missing(row[below]) ? "" : `${count(row[below])} features`)])), hint);
  const ratio = (row) => present([fixed(row.recovered, 3), sub(ends(row.ci_low, row.ci_high, (value) => fixed(value, 3)))]);
  const here = (row) => (row.site === data.layers.site ? [" ", chip("this report", "info")] : []);
  const columns = [
    { key: "site", title: "Site", draw: (row) => [el("b", { title: row.sae }, row.site), ...here(row)] },
    counted("width", "Latents"),
    number("l0", "L0", (row) => fixed(row.l0)),
    number("fvu", "FVU", (row) => fixed(row.fvu, 3), "On held-out rows"),
    number("dead", "Dead", (row) => percent(row.dead), "Share of latents that fire on no row"),
    number("recovered", "Loss recovered", ratio, "Against the train mean, with its 95% interval"),
    number("token_detectors", "Token detectors", (row) => percent(row.token_detectors), "Share of live features of whose active rows nine tenths hold one token"),
    matched("concepts", "concept_features", "Concepts, token F1", "Annotated concepts that one feature matches; below them the features that match one"),
    matched("concepts_by_domain", "concept_features_by_domain", "Concepts, F1 per domain", "The same by F1 per domain, which is kind to features that mark one row a domain"),
  ];
  return columns.filter((column) => has(column.key));
}

function drawLayers() {
  if (!data.layers) return;
  const rows = rowsOf(data.layers.rows);
  new SortedTable(document.getElementById("layer-table"), layerColumns(rows), rows);
}
