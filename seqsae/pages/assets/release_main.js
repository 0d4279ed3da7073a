// Charts that need no answer, and the order in which the page is drawn.

const embed = (place, spec, renderer = "svg") => vegaEmbed(place, spec, { mode: "vega-lite", actions: false, ast: true, defaultStyle: false, renderer });

function worthRows() {
  const sizes = new Map(table("covariates").map((row) => [row.covariate, 0]));
  for (const row of table("covariates")) if (row.level !== "missing") sizes.set(row.covariate, sizes.get(row.covariate) + (row.subjects ?? 0));
  const kinds = new Map(table("associations").map((row) => [labelOf(row), row.effect_name]));
  const numeric = new Set(table("covariates").filter((row) => ["ordinal", "continuous"].includes(row.kind)).map((row) => row.covariate));
  return table("baselines").map((row) => {
    const name = kinds.get(labelOf(row)) ?? (numeric.has(row.covariate) ? "spearman" : "AUROC");
    return { label: labelOf(row), source: data.sources[row.source] ?? row.source, strength: strength(row.effect, name), told: `${row.effect} ${interval(row.ci_low, row.ci_high)}`, n: atLeast(sizes.get(row.covariate)) };
  }).filter((row) => !missing(row.strength));
}

function survivalRows() {
  const rows = table("survival").map((row) => ({ ...row, group: row.fires ? "fires" : "does not fire", panel: `${row.covariate}: ${row.what} by feature #${row.feature}` }));
  const starts = [...grouped(rows, "panel").values()].flatMap((each) => ["fires", "does not fire"].map((group) => ({ ...each[0], group, time: 0, estimate: each[0].what === "survival" ? 1 : 0, at_risk: none, events: none })));
  return [...starts, ...rows];
}

function drawVignettes() {
  const place = document.getElementById("vignette-list");
  if (!place) return;
  for (const [name, rows] of grouped(table("vignettes"), "vignette")) {
    const words = grouped(rows, "place");
    const token = ([, each]) => el("span", { class: "chip", title: each.map((row) => `#${row.feature}: ${row.activation ?? 0}`).join(", ") }, each[0].token);
    place.append(el("div", { class: "panel" }, el("h3", {}, name), el("div", { class: "chips" }, [...words].map(token))));
  }
}

function drawOthers() {
  const fill = { worth: worthRows, survival: survivalRows, persons: () => table("persons") };
  return [...document.querySelectorAll("[data-chart]")].map((place) => embed(place, { ...data.charts[place.dataset.chart], datasets: { rows: fill[place.dataset.chart]() } }));
}

drawRun();
drawTies();
drawVignettes();
followSections();
Promise.all([drawFeatures(), ...drawOthers()]).then(() => {
  const follow = () => ((asked) => asked && openFeature(Number(asked[1])))(/^#feature-(\d+)$/.exec(location.hash));
  window.addEventListener("hashchange", follow);
  follow();
  document.documentElement.dataset.ready = "true";
});
