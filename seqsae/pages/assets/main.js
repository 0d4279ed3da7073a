// Draws the report.

drawCovariates();
drawConcepts();
drawCards();
drawFeatures();
followSections();
drawCharts().then(() => {
  document.documentElement.dataset.ready = "true";
  const asked = /^#feature-(\d+)$/.exec(location.hash);
  if (asked) openFeature(Number(asked[1]));
});
