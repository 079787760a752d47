// The filter by name, within the leading rows of each ranking. board.js loads it where it is needed.
(() => {
  "use strict";

  const { board, byId, go, here, keep, note, putIntoAddress, text } = window.liveBoard;
  const form = byId("filter");
  const field = form.querySelector("input");
  let filter = board().filter;
  // A filter is kept when its viewer has stopped typing.
  const KEEP_AFTER_MS = 500;
  let keepTimer = 0;

  const folded = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

  function show() {
    const wanted = folded(filter);
    let rows = 0;
    for (const card of document.querySelectorAll("#cards .live-card")) {
      let found = 0;
      for (const row of card.querySelectorAll(".live-row")) {
        row.hidden = !folded(row.querySelector(".name").textContent).includes(wanted);
        found += !row.hidden;
      }
      card.hidden = wanted && !found;
      rows += found;
    }
    const found = rows === 1 ? text("1 row matches, of the leading 50 of each ranking")
      : text("{rows} rows match, of the leading 50 of each ranking", { rows });
    note("filter", wanted && found);
    document.documentElement.removeAttribute("data-filtering");
  }

  function set(value) {
    const hadAllRows = Boolean(filter);
    filter = value.trim();
    putIntoAddress("filter", filter);
    clearTimeout(keepTimer);
    keepTimer = setTimeout(() => keep({ filter }), KEEP_AFTER_MS);
    // With a filter, the server sends all leading rows.
    if (hadAllRows !== Boolean(filter)) go(here(), true);
    show();
    document.dispatchEvent(new Event("live:filtered"));
  }

  window.liveBoard.openFilter = (isOpen) => {
    form.hidden = !isOpen;
    byId("find").setAttribute("aria-expanded", String(isOpen));
    (isOpen ? field : byId("find")).focus();
  };

  field.addEventListener("input", () => set(field.value));
  field.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    field.value = "";
    set("");
    window.liveBoard.openFilter(false);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  // Before motion.js, which looks at the rows that are left.
  document.addEventListener("live:selected", show, true);
  document.addEventListener("htmx:after:swap", () => filter && show(), true);

  field.value = filter;
  form.hidden = !filter;
  if (filter) show();
})();
