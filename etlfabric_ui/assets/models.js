// Lineage: arrows move along the lines, the path of a node stands out, the graph fits its window.
// Data: a download carries the session's cookie to the API.
(() => {
  "use strict";
  const nodes = () => [...document.querySelectorAll("[data-node]")];
  const named = (id) => nodes().find((node) => node.dataset.node === id);
  const ids = (text) => (text || "").split(" ").filter(Boolean);
  const typing = (element) => element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

  function beside(node, by) { // the next node of the same column
    const column = nodes().filter((one) => one.style.left === node.style.left);
    return column[column.indexOf(node) + by];
  }

  function reach(id, side, found) {
    for (const next of ids(named(id)?.dataset[side])) {
      if (!found.has(next)) { found.add(next); reach(next, side, found); }
    }
    return found;
  }

  function highlight(node) {
    const graph = document.querySelector(".graph");
    if (!graph) return;
    graph.classList.toggle("traced", Boolean(node));
    const path = node ? new Set([node.dataset.node, ...reach(node.dataset.node, "up", new Set()), ...reach(node.dataset.node, "down", new Set())]) : new Set();
    for (const one of nodes()) one.classList.toggle("on", path.has(one.dataset.node));
    for (const edge of graph.querySelectorAll("[data-from]")) edge.classList.toggle("on", path.has(edge.dataset.from) && path.has(edge.dataset.to));
  }

  const LEGIBLE = 0.55; // below this names cannot be read: rather scroll
  function fit(whole) {
    const graph = document.querySelector(".graph");
    if (!graph) return;
    const wrap = graph.parentElement;
    const scale = whole ? Math.min(1, (wrap.clientWidth - 32) / graph.offsetWidth, (innerHeight - 160) / graph.offsetHeight) : 1;
    graph.dataset.fitted = whole ? "1" : "";
    graph.style.zoom = String(scale);
  }
  const toggle = () => fit(document.querySelector(".graph")?.dataset.fitted !== "1");

  // A graph that is a little too wide opens so that nothing of it is cut
  new MutationObserver(() => {
    const graph = document.querySelector(".graph:not([data-fitted])");
    if (!graph || !graph.offsetWidth) return;
    const room = (graph.parentElement.clientWidth - 32) / graph.offsetWidth;
    fit(room < 1 && room >= LEGIBLE);
  }).observe(document, { childList: true, subtree: true });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const node = event.target.closest?.("[data-node]");
    if (node) {
      const to = event.key === "ArrowRight" ? named(ids(node.dataset.down)[0])
        : event.key === "ArrowLeft" ? named(ids(node.dataset.up)[0])
          : event.key === "ArrowDown" ? beside(node, 1)
            : event.key === "ArrowUp" ? beside(node, -1) : null;
      if (to) { event.preventDefault(); to.focus(); return; }
    }
    if (localStorage.getItem("etlfabric.keys.off") === "1") return;
    if (event.key === "f" && document.querySelector(".graph")) { event.preventDefault(); toggle(); }
    if (event.key === "v") document.querySelector('[data-graph="view"]')?.click();
    if (event.key === "Escape") document.querySelector('.drawer [aria-label="Close"]')?.click();
  });
  document.addEventListener("focusin", (event) => highlight(event.target.closest?.("[data-node]") || null));
  document.addEventListener("click", (event) => { if (event.target.closest?.('[data-graph="fit"]')) toggle(); });

  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const path = (target.dataset.fetches || "").replace(/^\d+:/, "");
      if (!path.startsWith("/api/v1/orgs/")) continue;
      const link = document.createElement("a");
      link.href = ((window.etlfabric && window.etlfabric.api) || location.origin) + path;
      link.download = "";
      document.body.append(link);
      link.click();
      link.remove();
    }
  }).observe(document, { attributes: true, attributeFilter: ["data-fetches"], subtree: true });
})();
