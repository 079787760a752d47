// The page of one ranking: its chart, which shows the values of a moment and is renewed each minute, times in the
// viewer's zone, and buttons that copy an address.
(() => {
  "use strict";

  // The page asks for the next minute's chart when its record has been written, and not at the same moment as all others.
  const FIRST_DELAY_MS = 5_000;
  const JITTER_MS = 10_000;
  const MINUTE_MS = 60_000;

  const language = document.documentElement.lang || undefined;
  const shortTime = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
  const shortDate = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  const exactTime = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const longTime = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const find = (id) => document.getElementById(id);

  // ---- times in the viewer's zone; the server knows only its own

  function showTimes() {
    const axis = [...document.querySelectorAll(".chart-axis [data-time]")];
    const moments = axis.map((text) => new Date(text.dataset.time));
    // Days apart, the ticks are the server's midnights.
    const isDays = moments.length > 1 && moments[1] - moments[0] >= 24 * 60 * MINUTE_MS;
    axis.forEach((text, position) => {
      text.textContent = (isDays ? shortDate : shortTime).format(moments[position]);
    });
    const today = new Date().toDateString();
    for (const time of document.querySelectorAll(".opened-card time")) {
      const moment = new Date(time.dateTime);
      const isToday = time.closest("td") && moment.toDateString() === today;
      time.textContent = (isToday ? exactTime : longTime).format(moment);
    }
  }

  // ---- the values of a moment

  // The table has all numbers: of each moment the time, and a cell for each line.
  const rows = () => find("chart-rows")?.rows ?? [];
  let selected = null;

  function show(position) {
    const all = rows();
    if (!all.length) return;
    const last = all.length - 1;
    selected = position === null || position >= last ? null : Math.max(position, 0);
    const row = all[selected ?? last];
    const [time, ...cells] = row.cells;
    find("chart-time").textContent = time.textContent;
    const items = [...document.querySelectorAll(".chart-legend li")];
    items.forEach((item, line) => {
      item.querySelector(".value").textContent = cells[line].textContent;
    });
    const slider = find("chart-moment");
    slider.value = selected ?? last;
    const values = items.map((item) => `${item.querySelector(".name").textContent} ${item.querySelector(".value").textContent}`);
    slider.setAttribute("aria-valuetext", `${time.textContent}: ${values.join(", ")}`);
    const cursor = find("chart-cursor");
    cursor.toggleAttribute("hidden", selected === null);
    const [line, ...marks] = cursor.children;
    for (const end of ["x1", "x2"]) line.setAttribute(end, row.dataset.x);
    marks.forEach((mark, number) => {
      const y = cells[number].dataset.y;
      mark.toggleAttribute("hidden", !y);
      mark.setAttribute("x", row.dataset.x);
      if (y) mark.setAttribute("y", y);
    });
  }

  function nearest(plot, clientX) {
    const box = plot.getBoundingClientRect();
    const percent = ((clientX - box.left) / box.width) * 100;
    let best = 0;
    [...rows()].forEach((row, position, all) => {
      const distance = (at) => Math.abs(parseFloat(all[at].dataset.x) - percent);
      if (distance(position) < distance(best)) best = position;
    });
    return best;
  }

  document.addEventListener("pointermove", ({ target, clientX }) => {
    const plot = target.closest?.(".chart-plot");
    if (plot) show(nearest(plot.querySelector(".chart-lines"), clientX));
    else if (selected !== null && document.activeElement !== find("chart-moment")) show(null);
  });
  document.addEventListener("input", ({ target }) => {
    if (target.id === "chart-moment") show(Number(target.value));
  });
  document.addEventListener("focusout", ({ target }) => {
    if (target.id === "chart-moment") show(null);
  });

  // ---- the chart of the next minute

  // The chart is the same for all viewers: what else is in this page's address isn't in its links.
  function completeLinks() {
    for (const link of document.querySelectorAll("#chart nav a")) {
      const url = new URL(location.href);
      url.searchParams.set("span", new URL(link.href).searchParams.get("span"));
      link.href = url.href;
    }
  }

  function begin() {
    const slider = find("chart-moment");
    if (slider) slider.hidden = false;
    completeLinks();
    showTimes();
    show(selected);
  }

  // The board as it was at a moment, and the page of a key, don't change.
  const isStill = () => document.hidden || !find("live-updates") || ["paused", "closed"].includes(find("badge")?.dataset.state);

  async function renew() {
    const source = find("chart")?.dataset.src;
    if (!source || isStill()) return;
    const answer = await fetch(source).catch(() => null);
    if (!answer?.ok || answer.redirected || isStill()) return;
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    const isFocused = document.activeElement?.id === "chart-moment";
    const isOpen = document.querySelector(".chart-numbers")?.open;
    for (const part of [...template.content.children]) find(part.id)?.replaceWith(part);
    begin();
    const numbers = document.querySelector(".chart-numbers");
    if (isOpen && numbers) numbers.open = true;
    if (isFocused) find("chart-moment")?.focus();
  }

  function renewEachMinute() {
    const next = MINUTE_MS - (Date.now() % MINUTE_MS) + FIRST_DELAY_MS + Math.random() * JITTER_MS;
    setTimeout(() => renew().finally(renewEachMinute), next);
  }

  document.addEventListener("visibilitychange", renew);
  begin();
  renewEachMinute();

  // ---- addresses to copy

  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button) return;
    const field = find(button.dataset.copy);
    const told = find("copied");
    // The clipboard needs HTTPS, or localhost, and the viewer's permission.
    const copied = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
    if (!copied) field.select();
    told.textContent = (copied ? button.dataset.copied : button.dataset.selected) ?? "";
  });
})();
