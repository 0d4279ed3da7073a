// The questions asked of the report's data.

const sources = new Map(data.sources.map((source) => [source.name, source]));
const pairs = rowsOf(data.pairs);
const associations = rowsOf(data.associations);
const tiesOf = grouped(associations, "feature");
const unitsOf = grouped(rowsOf(data.units), "pair");
const features = rowsOf(data.features);
const featureOf = new Map(features.map((row) => [row.feature, row]));

// What a token is called, where the data say it.
const names = new Map(Object.entries(data.names));
const nameOf = (token) => names.get(token) ?? null;
const spelled = (token) => (names.has(token) ? `${token}: ${names.get(token)}` : token);
const nameBelow = (token) => (names.has(token) ? el("span", { class: "sub" }, nameOf(token)) : null);

const nothing = (pair) => (pairs[pair].effect_name === "spearman" ? 0 : 0.5);
const strength = (pair, effect) => (missing(effect) ? null : Math.abs(effect - nothing(pair)));

// An effect as a distance in its own direction: an AUROC of 0.3 for "is older" is one of 0.7 for "is younger".
function upward(pair, effect, by = effect) {
  if (missing(effect) || missing(by) || by >= nothing(pair)) return effect;
  return 2 * nothing(pair) - effect;
}

// The baselines that stand beside a feature for a pair, without the SAE's own best.
function baselinesOf(pair, feature) {
  const units = unitsOf.get(pair) || [];
  return units.filter((unit) => unit.source !== "sae" && (missing(unit.feature) || unit.feature === feature));
}

function bestOf(pair) {
  return (unitsOf.get(pair) || []).find((unit) => unit.source === "sae") || null;
}

// Sources whose best unit is at least as strongly associated on the test split, the strongest first. A baseline's
// effect is already in the direction it had on the select split, so one that turned round on the test split is weak.
// Probes of several of the SAE's own features are no rivals of one of them.
function betterThan(pair, effect, feature) {
  const own = strength(pair, effect);
  if (own === null) return [];
  return baselinesOf(pair, feature)
    .filter((unit) => !unit.source.startsWith("k-sparse-") && !missing(unit.effect) && unit.effect - nothing(pair) >= own)
    .sort((a, b) => b.effect - a.effect);
}

const isFound = (tie) => !missing(tie.q_select) && tie.q_select <= data.q;
// Only pairs that were selected were scored on the test split; the others show their select-split effect.
const onTest = (tie) => Boolean(tie.on_test);

for (const row of features) {
  row.ties = tiesOf.get(row.feature) || [];
  row.top = row.ties[0] || null;
  row.better = row.top && onTest(row.top) ? betterThan(row.top.pair, row.top.effect, row.feature) : [];
  row.words = [row.feature, row.best_token, nameOf(row.best_token), row.cluster_label, captionOf.has(row.feature) ? captionOf.get(row.feature).caption : null, ...row.ties.filter(isFound).map((tie) => pairs[tie.pair].label)]
    .filter((word) => !missing(word))
    .join("\n")
    .toLowerCase();
}

function sourceLabel(name) {
  return sources.has(name) ? sources.get(name).label : name;
}

function betterChips(better) {
  return better.map((unit) =>
    chip(`${sourceLabel(unit.source)} ${/s$/.test(sourceLabel(unit.source)) || unit.source === "token-pair" ? "do" : "does"} better`, "warn", `${unit.baseline}: ${fixed(unit.effect, 3)} ${interval(unit.ci_low, unit.ci_high)}`),
  );
}

function featureLink(feature) {
  if (missing(feature)) return none;
  const attributes = { class: "feature", href: `#feature=${feature}`, onclick: (event) => openFeature(feature, event) };
  return el("a", attributes, `#${feature}`);
}

const verdictKinds = { supported: "good", "not-selected": "" };
function verdictChip(verdict) {
  if (missing(verdict)) return el("span", { class: "muted", title: "What a verdict needs is not yet computed." }, "not yet");
  return chip(verdict, verdictKinds[verdict] ?? "warn");
}
