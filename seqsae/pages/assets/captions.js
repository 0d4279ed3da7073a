// Captions: a feature's rule in words, and how well it says where the feature fires.

const captionOf = new Map(rowsOf(data.captions).map((row) => [row.feature, row]));
const isCaptioned = (feature) => captionOf.has(feature) && captionOf.get(feature).kind !== "none";
const captionText = (feature) => (isCaptioned(feature) ? captionOf.get(feature).caption : null);

// What the tokens of a caption are called, a line each.
function captionNames(text) {
  const called = [...new Set(text.split(/,? /))].filter((word) => names.has(word)).map(spelled);
  return called.length ? called.join("\n") : null;
}

// Of a feature without a portrait the page has only F1 and chance.
function captionFigures(row) {
  const chance = missing(row.null_95) ? null : chip(`chance ${fixed(row.null_95)}`, "", "F1 of 95% of the rules found for features of like firing rate whose firing was dealt anew among samples");
  if (missing(row.precision)) return el("p", { class: "line caption-score" }, chip(`F1 ${fixed(row.f1)}`, "good", "On the test split"), chance);
  const onRows = `Precision ${fixed(row.precision)}, recall ${fixed(row.recall)} on ${count(row.n_rows)} rows of the test split, on ${count(row.n_fired)} of which it fires. Always saying yes has F1 ${fixed(row.f1_always)}.`;
  const bySubject = `For ${count(row.n_subjects)} subjects, whether it fires in them at all: balanced accuracy ${fixed(row.subject_balanced_accuracy)}`;
  return el(
    "p",
    { class: "line caption-score" },
    chip(`F1 ${fixed(row.f1)} ${interval(row.f1_ci_low, row.f1_ci_high)}`, "good", onRows),
    chance,
    missing(row.f1_token) ? null : chip(`one token ${fixed(row.f1_token)}`, row.f1_token >= row.f1 ? "warn" : "", `F1 of the best single token, ${spelled(row.token)}`),
    chip(`balanced accuracy ${fixed(row.balanced_accuracy)} ${interval(row.ci_low, row.ci_high)}`, "", bySubject),
  );
}

// The lines of a feature's card.
function captionLines(feature) {
  const row = captionOf.get(feature);
  if (!row) return [];
  const text = isCaptioned(feature)
    ? el("p", { class: "line caption", title: captionNames(row.caption) }, row.caption)
    : el("p", { class: "line caption muted", title: missing(row.f1) ? null : `The best rule tried has F1 ${fixed(row.f1)} on the test split, chance ${fixed(row.null_95)}` }, row.caption);
  return [el("h4", { title: "A short rule that says where it fires: found on the select split, scored on the test split" }, "Fires where"), text, isCaptioned(feature) ? captionFigures(row) : null].filter((line) => line !== null);
}
