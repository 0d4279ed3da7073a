// Draws the report.

drawUsed();
drawCovariates();
drawConcepts();
drawAnnotated();
drawLayers();
drawCards();
drawFeatures();
followSections();
drawCharts().then(() => {
  document.documentElement.dataset.ready = "true";
  const asked = /^#feature-(\d+)$/.exec(location.hash);
  if (asked) openFeature(Number(asked[1]));
});
