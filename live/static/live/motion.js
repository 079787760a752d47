// What moves on the cards and what only the browser knows: rows that glide to their new places, the latest values as
// small lines, times in the viewer's zone, and names that are cut off.
(() => {
  "use strict";

  const cards = () => document.querySelectorAll(".live-card[data-ranking]");
  const rowsOf = (card) => [...card.querySelectorAll(".live-row:not([hidden])")];

  // What this script has written stays when htmx swaps a card.
  const OWN_ATTRIBUTES = new Set(["data-rose", "data-cut", "tabindex"]);

  htmx.registerExtension("live-motion", {
    htmx_before_morph_attr: (element, { attrName }) => !(OWN_ATTRIBUTES.has(attrName) && element.closest(".live-row")),
    htmx_before_morph_node: (element, { newNode }) => !(element.className === "since" && element.dateTime === newNode.dateTime),
  });

  // ---- rows glide when their order changes; the ones that rise are above the others, and tinted for a moment

  const GLIDE = { duration: 450, easing: "cubic-bezier(.2, .7, .2, 1)" };
  const TINT_MS = 2500;
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  // The ids of the rows of each card, in their order.
  const orders = new Map();
  const tints = new Map();
  // How far each row is from the top of its card.
  const tops = new WeakMap();

  function tint(row) {
    row.dataset.rose = "";
    clearTimeout(tints.get(row.id));
    tints.set(row.id, setTimeout(() => {
      tints.delete(row.id);
      delete document.getElementById(row.id)?.dataset.rose;
    }, TINT_MS));
  }

  // The old places are known from measure(), so the layout is read only if the order has changed.
  function glide(card, before) {
    const rows = rowsOf(card);
    const bottom = rows.at(-1).offsetTop + rows.at(-1).offsetHeight;
    const distances = rows.map((row) => (tops.get(row) ?? bottom) - row.offsetTop);
    rows.forEach((row, place) => {
      if (Math.abs(distances[place]) > 1) {
        row.animate([{ transform: `translateY(${distances[place]}px)` }, { transform: "none" }], GLIDE);
      }
      const placeBefore = before.get(row.id) ?? Infinity;
      if (placeBefore > place) tint(row);
      else if (placeBefore < place) delete row.dataset.rose;
    });
  }

  function follow(card) {
    const order = rowsOf(card).map((row) => row.id);
    const before = orders.get(card.id);
    if (order.join() === before?.join()) return;
    orders.set(card.id, order);
    measureSoon();
    if (!before?.length || !order.length || document.hidden || reducedMotion.matches) return;
    glide(card, new Map(before.map((id, place) => [id, place])));
  }

  // ---- the latest values as a line: each from 0 to 100 of its ranking's range, null for a gap

  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, MARGIN] = [72, 20, 2];
  const sparklines = new Map();

  function lineOf(points) {
    let line = "";
    let isDrawing = false;
    points.forEach((point, place) => {
      if (point !== null) {
        const x = (place * (WIDTH - MARGIN)) / (points.length - 1);
        const y = HEIGHT - MARGIN - (point * (HEIGHT - 2 * MARGIN)) / 100;
        // A point between two gaps is a dot.
        line += `${isDrawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${isDrawing ? "" : "h0"}`;
      }
      isDrawing = point !== null;
    });
    return line;
  }

  function draw(spark, points) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", lineOf(points));
    spark.replaceChildren(path);
    const last = points.at(-1);
    if (last === null) return;
    const dot = document.createElementNS(SVG, "circle");
    dot.setAttribute("cx", WIDTH - MARGIN);
    dot.setAttribute("cy", HEIGHT - MARGIN - (last * (HEIGHT - 2 * MARGIN)) / 100);
    dot.setAttribute("r", 2);
    spark.append(dot);
  }

  // htmx leaves what is drawn as it is, so only rows that are new have nothing yet.
  function drawSparks(card, selector) {
    const rows = sparklines.get(card.dataset.ranking);
    if (!rows) return;
    for (const spark of card.querySelectorAll(selector)) {
      const points = rows[spark.parentElement.id.slice(card.dataset.ranking.length + 1)];
      if (points?.some((point) => point !== null)) draw(spark, points);
      else spark.replaceChildren();
    }
  }

  // The rankings whose lines came while the page was paused.
  const late = new Set();

  function takeSparklines({ ranking, rows }) {
    sparklines.set(ranking, rows);
    if (window.livePage?.isPaused()) return late.add(ranking);
    const card = document.getElementById(`ranking-${ranking}`);
    if (card) drawSparks(card, ".spark");
  }

  document.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const { data } = event.detail.message;
    if (!data.startsWith('{"type":"sparklines"')) return;
    event.preventDefault();
    takeSparklines(JSON.parse(data));
  });

  // A page without a socket asks for what its messages would bring.
  const LINES_EVERY_MS = 60_000;
  const SOCKET_OPENS_WITHIN_MS = 3_000;

  async function fetchSparklines() {
    const page = window.livePage;
    if (!page || document.hidden || page.isClosed() || page.isSocketOpen()) return;
    const { sparklinesUrl } = document.getElementById("live-updates").dataset;
    const answer = await fetch(sparklinesUrl).catch(() => null);
    if (answer?.ok) (await answer.json()).forEach(takeSparklines);
  }

  const fetchSparklinesSoon = () => setTimeout(fetchSparklines, SOCKET_OPENS_WITHIN_MS);
  fetchSparklinesSoon();
  setInterval(fetchSparklines, LINES_EVERY_MS);

  // ---- times in the zone and language of the viewer

  // The page's language, in the viewer's variant if there is one: "en-GB" for "en".
  const { lang } = document.documentElement;
  const locale = navigator.languages.find((name) => name.split("-")[0] === lang.split("-")[0]) ?? (lang || undefined);
  const ofToday = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
  const ofOtherDays = new Intl.DateTimeFormat(locale, { weekday: "short", hour: "numeric", minute: "2-digit" });
  const inFull = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });

  function showTimes(card) {
    for (const time of card.querySelectorAll("time.since")) {
      const moment = new Date(time.dateTime);
      const isToday = moment.toDateString() === new Date().toDateString();
      const words = (isToday ? ofToday : ofOtherDays).format(moment);
      if (time.title && time.textContent === words) continue;
      time.textContent = words;
      time.title = inFull.format(moment);
    }
  }

  // The moment that a page of the past shows.
  const ofMoment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time.moment")) {
    time.title = time.textContent;
    time.textContent = ofMoment.format(new Date(time.dateTime));
  }

  // ---- what is measured: after a frame, when the layout is known anyway

  const measured = new WeakMap();
  let isMeasuring = false;

  // A name that is cut off can be focused, which shows the whole.
  function measureName(name) {
    if (measured.get(name) === name.textContent) return;
    measured.set(name, name.textContent);
    const isCut = name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight + 1;
    name.toggleAttribute("data-cut", isCut);
    if (name.localName === "a") return;
    if (isCut) name.tabIndex = 0;
    else name.removeAttribute("tabindex");
  }

  function measure() {
    isMeasuring = false;
    for (const row of document.querySelectorAll(".live-card .live-row")) {
      tops.set(row, row.offsetTop);
      measureName(row.querySelector(".name"));
    }
  }

  function measureSoon() {
    if (isMeasuring) return;
    isMeasuring = true;
    requestAnimationFrame(() => setTimeout(measure));
  }

  function measureAgain() {
    for (const name of document.querySelectorAll(".live-card .name")) measured.delete(name);
    measureSoon();
  }

  // ----

  function keepUp() {
    for (const card of cards()) {
      follow(card);
      drawSparks(card, late.delete(card.dataset.ranking) ? ".spark" : ".spark:empty");
      showTimes(card);
    }
  }

  document.addEventListener("htmx:after:swap", keepUp);

  // Other rows are another order, and no movement.
  function beginAnew() {
    orders.clear();
    keepUp();
  }

  document.addEventListener("live:filtered", beginAnew);
  document.addEventListener("live:selected", () => {
    beginAnew();
    fetchSparklinesSoon();
  });
  addEventListener("resize", measureAgain);
  addEventListener("beforeprint", () => {
    const header = document.querySelector(".page-header");
    if (header) header.dataset.printed = inFull.format(new Date());
  });
  document.fonts?.ready.then(measureAgain);
  keepUp();
})();
