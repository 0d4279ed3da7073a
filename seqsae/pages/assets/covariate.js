// The page of one covariate: its leading features, and all of them as points.

const covered = { pair: null, shown: 10, views: new Map() };
const coveredStep = 10;
pairs.forEach((row, place) => Object.assign(row, { pair: place }));
const coveredRows = rowsOf(data.covered.rows);
const coveredOf = grouped(coveredRows, "pair");
const pointsOf = grouped(rowsOf(data.covered.points), "pair");
const countsOf = grouped(rowsOf(data.covered.counts), "pair");
const omnibusOf = new Map(rowsOf(data.covered.omnibus).map((row) => [row.covariate, row]));
const describedOf = grouped(rowsOf(data.covariates), "covariate");
const pairsOf = grouped(pairs, "covariate");
const singleUnits = (pair) => baselinesOf(pair, null).filter((unit) => !unit.source.startsWith("k-sparse-") && !missing(unit.effect));

// Short evidence for the charts; beyond the edge it stands at it.
const evidence = (q) => (missing(q) ? 0 : Math.min(60, -Math.log10(Math.max(q, 1e-300))));

function coveredPoints(pair) {
  const rows = [...(coveredOf.get(pair) || []), ...(pointsOf.get(pair) || [])];
  return rows
    .filter((row) => !missing(row.effect_adjusted) && !missing(row.verdict))
    .map((row) => ({
      feature: row.feature, name: `#${row.feature}`, verdict: row.verdict, n: row.n, q: row.q_select, crude: row.effect - nothing(pair),
      adjusted: row.effect_adjusted, evidence: evidence(row.q_select), of: clipped(pairs[pair].label, 60), split: row.verdict === "not-selected" ? "select split" : "test split",
    }));
}

function numberLines(row) {
  const p = (name, value) => (missing(value) ? null : [name, small(value)]);
  const effect = (name, end) => (missing(row[`effect_${end}`]) ? null : [name, `${fixed(row[`effect_${end}`], 3)} ${interval(row[`ci_low_${end}`], row[`ci_high_${end}`])}`]);
  return [
    ["crude effect", `${pairs[row.pair].effect_name} ${fixed(row.effect, 3)} ${interval(row.ci_low, row.ci_high)}`],
    ["crude on", `${ofN(row.n, row.n_positive)}, ${splitOf(row)}`],
    missing(row.effect_adjusted) ? null : ["beyond the confounders", `${row.adjusted_name} ${fixed(row.effect_adjusted, 3)} ${interval(row.ci_low_adjusted, row.ci_high_adjusted)}`],
    missing(row.n_adjusted) ? null : ["which rests on", `${ofN(row.n_adjusted, row.n_positive_adjusted)}, ${splitOf(row)}`],
    effect("and beyond the best tokens (t)", "given_token"),
    effect("and beyond products of confounders (p)", "given_products"),
    missing(row.effect_stratified) ? null : ["within strata", fixed(row.effect_stratified, 3)],
    p("p on select, crude", row.p_select),
    p("p on select, adjusted", row.p_select_adjusted),
    missing(row.z_select_adjusted) ? null : ["z on select, adjusted", fixed(row.z_select_adjusted)],
    p("q on select", row.q_select),
    p("q by Benjamini and Yekutieli", row.q_select_by),
    p("p on test, crude, Holm", row.p_test_holm),
    p("p on test, adjusted, Holm", row.p_test_adjusted_holm),
    missing(row.null_95) ? null : ["best by luck, one run in twenty", `${fixed(row.null_95, 3)} from no tie`],
    missing(row.note) ? null : ["note", row.note],
  ].filter(Boolean);
}

function whyCell(row) {
  const lines = numberLines(row).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  return el(
    "div",
    { class: "why" },
    verdictMark(row.verdict),
    el("span", { class: "reason" }, data.covered.reasons[row.reason] ?? ""),
    missing(row.note) ? null : el("span", { class: "reason note-of" }, `Note: ${row.note}.`),
    el("details", {}, el("summary", {}, "All numbers"), el("dl", {}, lines)),
  );
}

function verdictMark(verdict) {
  if (missing(verdict)) return verdictChip(verdict);
  const [color, shape] = verdictLook(verdict);
  return el("span", { class: `chip verdict ${verdict === "supported" ? "good" : ""}` }, keyGlyph(shape, color), verdict);
}

function seedsCell(row) {
  if (missing(row.n_seeds)) return el("span", { class: "muted", title: "Not computed: one seed, or not selected" }, none);
  const enough = row.replicated_seeds >= (2 / 3) * row.n_seeds;
  return el("span", { class: enough ? "" : "weak", title: `A matched feature repeats the tie in ${row.replicated_seeds} of ${row.n_seeds} seeds of the SAE` }, `${row.replicated_seeds}/${row.n_seeds}`);
}

function forestRow(row, crude, adjusted, baselines) {
  const feature = featureOf.get(row.feature);
  const token = feature ? feature.best_token : null;
  const said = effectsSaid(row);
  return el(
    "tr",
    { "data-feature": row.feature },
    el("td", {}, featureLink(row.feature), token ? el("span", { class: "sub ellip", title: spelled(token) }, named(token, 40)) : null, el("span", { class: "sub" }, row.pooling)),
    el("td", { title: said, "data-label": "Crude" }, crudeRow(row, crude, baselines), el("span", { class: "sub number crude" }, `${fixed(row.effect)} ${interval(row.ci_low, row.ci_high)}`)),
    el("td", { title: said, "data-label": "Beyond the confounders" }, missing(row.effect_adjusted) ? none : [adjustedRow(row, adjusted, data.covered.smallest_adjusted), el("span", { class: "sub number" }, `${fixed(row.effect_adjusted)} ${interval(row.ci_low_adjusted, row.ci_high_adjusted)}`)]),
    el("td", { class: "num", "data-label": "Seeds" }, seedsCell(row)),
    el("td", { class: "num", "data-label": "q", title: "Benjamini-Hochberg over all tested pairs, select split" }, small(row.q_select)),
    el("td", {}, whyCell(row)),
  );
}

function drawForest(place, pair) {
  const rows = coveredOf.get(pair) || [];
  if (!rows.length) {
    place.replaceChildren(el("p", { class: "empty" }, "No feature fires in enough subjects to be tested against it."));
    return;
  }
  const baselines = singleUnits(pair);
  const best = baselines.map((unit) => unit.effect);
  const none = nothing(pair);
  const turned = rows.some((row) => row.effect < none) ? best.map((effect) => 2 * none - effect) : [];
  const crude = axisOf([...rows.flatMap((row) => [row.effect, row.ci_low, row.ci_high]), ...best, ...turned], none, 0.1);
  const adjusted = axisOf(rows.flatMap((row) => [row.effect_adjusted, row.ci_low_adjusted, row.ci_high_adjusted]), 0, 2 * data.covered.smallest_adjusted);
  const name = pairs[pair].effect_name === "spearman" ? "Spearman's ρ" : pairs[pair].effect_name;
  const beyond = rows.find((row) => row.adjusted_name)?.adjusted_name ?? "adjusted";
  const heads = [["Feature"], [`Crude ${name}`, drawAxis(crude, forest.wide, name)], [`Beyond the confounders: ${beyond}`, drawAxis(adjusted, forest.narrow, beyond)], ["Seeds"], ["q"], ["Verdict, and why"]];
  const first = el("tr", { class: "baselines" }, el("td", {}, el("span", { class: "sub" }, "best of each baseline")), el("td", {}, baselineRow(crude, baselines), el("span", { class: "only-narrow" }, drawAxis(crude, forest.wide, name))), el("td", { colspan: 4 }, el("span", { class: "sub" }, "t: beyond the best tokens as well; p: beyond products of the confounders. Shaded: smaller than the smallest effect of interest.")));
  const body = rows.slice(0, covered.shown).map((row) => forestRow(row, crude, adjusted, baselines));
  const table = el("table", { class: "forest" }, el("thead", {}, el("tr", {}, heads.map(([text, axis], at) => el("th", { scope: "col", class: `plain ${at === 3 || at === 4 ? "num" : ""}`.trim() }, text, axis ?? null)))), el("tbody", {}, first, body));
  const left = rows.length - covered.shown;
  const more = left > 0 ? el("button", { type: "button", class: "more", onclick: () => { covered.shown += coveredStep; drawForest(place, pair); } }, `Show more (${count(left)} left)`) : null;
  place.replaceChildren(el("div", { class: "scroll forest-scroll", tabindex: "0" }, table), ...(more ? [more] : []));
}

function coveredHead(pair) {
  const { covariate } = pairs[pair];
  const described = (describedOf.get(covariate) || []).find((row) => row.pair === pair) || {};
  const verdicts = (countsOf.get(pair) || []).filter((row) => row.verdict);
  const order = Object.keys(verdictLooks);
  verdicts.sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const chips = verdicts.map((row) => el("span", { class: "key", title: `${count(row.features)} features` }, keyGlyph(verdictLook(row.verdict)[1], verdictLook(row.verdict)[0]), row.verdict, el("small", {}, count(row.features))));
  const facts = [described.type, described.role, described.splits].filter(Boolean).join(" · ");
  return [
    el("h3", {}, named(pairs[pair].label, 90)),
    described.description ? el("p", { class: "note" }, named(described.description, 400)) : null,
    el("p", { class: "note" }, facts),
    omnibusLine(covariate),
    el("div", { class: "legend" }, chips),
  ].filter(Boolean);
}

function omnibusLine(covariate) {
  const row = omnibusOf.get(covariate);
  if (!row) return null;
  const best = missing(row.feature) ? [] : [" The one that differs most, ", featureLink(row.feature), `: ε² ${fixed(row.epsilon2, 3)}, p ${small(row.p_test)}, n ${count(row.n)}, test split.`];
  return el("p", { class: "omnibus" }, `All ${count(row.n_levels)} levels together (crude): ${count(row.chosen)} of ${count(row.features)} features differ between any of them at q ≤ ${data.q} on the select split, ${count(row.held)} again on the test split (p ≤ 0.05).`, ...best);
}

function categoryButtons(pair) {
  const all = pairsOf.get(pairs[pair].covariate) || [];
  if (all.length < 2) return [];
  return all.map((each) => el("button", { type: "button", class: "key", "aria-pressed": String(each.pair === pair), title: each.label, onclick: () => showPair(each.pair) }, el("span", {}, named(each.category ?? each.unit, 30))));
}

function showPair(pair) {
  covered.pair = pair;
  covered.shown = coveredStep;
  const picked = document.getElementById("covariate-choice");
  picked.value = pairs[pair].covariate;
  document.getElementById("covariate-head").replaceChildren(...coveredHead(pair));
  document.getElementById("category-choice").replaceChildren(...categoryButtons(pair));
  drawForest(document.getElementById("covariate-forest"), pair);
  for (const view of covered.views.values()) view.data("rows", coveredPoints(pair)).runAsync();
}

// The pair of a covariate that says most: with the most features supported, then selected.
function leadingPair(covariate) {
  const score = (pair) => {
    const by = new Map((countsOf.get(pair) || []).map((row) => [row.verdict, row.features]));
    const rest = [...by].filter(([verdict]) => verdict !== "not-selected").reduce((sum, [, features]) => sum + features, 0);
    return 1e6 * (by.get("supported") || 0) + rest;
  };
  return (pairsOf.get(covariate) || []).map((row) => row.pair).reduce((best, pair) => (best === null || score(pair) > score(best) ? pair : best), null);
}

function openCovariate(covariate, event = null, pair = null) {
  if (event) event.preventDefault();
  const asked = pair ?? leadingPair(covariate);
  if (asked === null || !document.getElementById("covariate-view")) return;
  showPair(asked);
  document.getElementById("covariate-view").scrollIntoView({ block: "start" });
  history.replaceState(null, "", `#covariate=${encodeURIComponent(covariate)}`);
}

function covariateLink(row) {
  if (missing(row.pair)) return named(row.label, 70);
  return el("a", { class: "feature covariate-link", href: `#covariate=${encodeURIComponent(row.covariate)}`, onclick: (event) => openCovariate(row.covariate, event, row.pair) }, named(row.label, 70));
}

// Called with the Vega view of each of the two charts once it is drawn.
function linkCovered(name, view) {
  covered.views.set(name, view);
  view.addEventListener("click", (_, item) => {
    if (item && item.datum && !missing(item.datum.feature)) openFeature(item.datum.feature);
  });
  if (covered.pair !== null) view.data("rows", coveredPoints(covered.pair)).runAsync();
}

function drawCovariateView() {
  const place = document.getElementById("covariate-view");
  const listed = [...pairsOf.keys()].filter((name) => pairsOf.get(name).some((row) => coveredOf.has(row.pair)));
  if (!listed.length) {
    place.hidden = true;
    return;
  }
  const choice = document.getElementById("covariate-choice");
  choice.append(...listed.map((name) => el("option", { value: name }, clipped(name, 70))));
  choice.addEventListener("change", () => openCovariate(choice.value));
  const supported = (name) => Math.max(...pairsOf.get(name).map((row) => ((countsOf.get(row.pair) || []).find((one) => one.verdict === "supported") || { features: 0 }).features));
  showPair(leadingPair([...listed].sort((a, b) => supported(b) - supported(a))[0]));
}

// The covariate that the address names, if the page has it.
function askedCovariate() {
  const asked = /^#covariate=(.+)$/.exec(location.hash);
  if (!asked) return null;
  try {
    const name = decodeURIComponent(asked[1]);
    return pairsOf.has(name) ? name : null;
  } catch {
    return null;
  }
}
