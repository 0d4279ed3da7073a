// Draws the report.

drawUsed();
drawCovariates();
drawCovariateView();
drawHeat();
drawSurvival();
drawConcepts();
drawAnnotated();
drawLayers();
drawCards();
drawFeatures();
followSections();
document.documentElement.dataset.interactive = String(Math.round(performance.now())); // ms; charts follow
drawCharts().then(() => {
  document.documentElement.dataset.ready = "true";
  if (askedFeature() !== null) openFeature(askedFeature());
  if (askedCovariate() !== null) openCovariate(askedCovariate());
});
addEventListener("hashchange", () => {
  if (askedFeature() !== null) openFeature(askedFeature());
  if (askedCovariate() !== null) openCovariate(askedCovariate());
});
