(() => {
  "use strict";
  const root = document.documentElement;
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const sections = [...document.querySelectorAll("main section")].map((section) => ({
    section,
    entry: document.querySelector(`[data-for="${section.id}"]`),
    name: section.querySelector("h2 bdi").textContent.toLowerCase(),
    rows: [...section.querySelectorAll("tr[data-path]")].map((row) => ({
      row,
      path: row.dataset.path.toLowerCase(),
    })),
  }));

  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let collections = 0;
    let fields = 0;
    for (const { section, entry, name, rows } of sections) {
      const named = name.includes(wanted);
      let matching = 0;
      for (const { row, path } of rows) {
        const matches = path.includes(wanted);
        row.hidden = !named && !matches;
        matching += matches ? 1 : 0;
      }
      const shown = named || matching > 0;
      section.hidden = entry.hidden = !shown;
      collections += shown ? 1 : 0;
      fields += matching;
    }
    const text = found.dataset.text.replace("%(collections)s", collections).replace("%(fields)s", fields);
    found.textContent = wanted ? text : "";
  };

  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
  });
  search.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      filter();
    }
  });

  const links = new Map(sections.map(({ section, entry }) => [section, entry.firstElementChild]));
  const visible = new Set();
  const observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) visible.add(target);
      else visible.delete(target);
    }
    const current = sections.find(({ section }) => visible.has(section));
    for (const [section, link] of links) {
      if (current && section === current.section) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "0px 0px -60% 0px" });
  for (const section of links.keys()) observer.observe(section);
  document.getElementById("tools").hidden = false;
})();
