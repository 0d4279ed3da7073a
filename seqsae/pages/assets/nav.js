// Marks in the navigation which section is being read.

function followSections() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        for (const [name, link] of links) link.classList.toggle("here", name === entry.target.id);
      }
    },
    { rootMargin: "-25% 0px -70% 0px" },
  );
  for (const section of document.querySelectorAll(".room")) seen.observe(section);
}
