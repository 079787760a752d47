// What htmx leaves to the page: when to poll, the badge, the ages, and rows that glide to their new places.
(() => {
  "use strict";

  // From the template live/updates.html. A page has these elements once, whatever its rankings.
  const updates = document.getElementById("live-updates");
  if (!updates) return;
  const polls = document.getElementById("live-polls");
  // From the templates live/badge.html and live/dashboard.html. Pages of other apps have none.
  const badge = document.getElementById("badge");
  const badgeState = document.getElementById("badge-state");
  const badgeSince = document.getElementById("badge-since");
  const pauseButton = document.getElementById("pause");

  const GLIDE = { duration: 500, easing: "cubic-bezier(.2, .7, .2, 1)" };
  const loginCode = Number(updates.dataset.loginCode);
  const staleAfter = Number(updates.dataset.staleAfter) * 1000;

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // ---- ages, by the server's clock: this machine's clock may be wrong

  let clockOffset = Date.parse(updates.dataset.now) - Date.now();
  const now = () => Date.now() + clockOffset;
  // When each ranking was last read: by the last ping, by ranking, and by the last poll.
  const pingCheckedAt = new Map();
  let pollCheckedAt = Date.parse(updates.dataset.checkedAt);

  // The largest whole unit, as formats.age in Python.
  function duration(ms) {
    const seconds = Math.floor(ms / 1000);
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
      if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
    }
    return "";
  }

  function age(moment) {
    const passed = duration(now() - moment);
    return passed ? `${passed} ago` : "just now";
  }

  function showAges() {
    for (const card of document.querySelectorAll("[data-ranking]")) {
      const time = card.querySelector("time");
      if (!time) continue;
      setText(time, age(Date.parse(time.dateTime)));
      const checkedAt = Math.max(pingCheckedAt.get(card.dataset.ranking) ?? 0, pollCheckedAt);
      const stale = card.querySelector(".stale");
      stale.hidden = now() - checkedAt <= staleAfter;
      setText(stale, stale.hidden ? "" : `stale: last read ${age(checkedAt)}`);
    }
    showState();
  }

  // ---- the badge: paused, live, connecting, polling or disconnected, and for how long

  let paused = false;
  let socket = "opening";
  let lastPollWorked = true;
  let shownState = "";
  let shownSince = 0;

  function state() {
    if (paused) return "paused";
    if (socket === "open") return "live";
    if (socket === "opening") return "connecting";
    return lastPollWorked ? "polling" : "disconnected";
  }

  function showState() {
    if (!badge) return;
    if (state() !== shownState) {
      shownState = state();
      shownSince = now();
      badge.dataset.state = shownState;
    }
    // Two elements, so that screen readers announce a new state and not each second.
    setText(badgeState, shownState);
    const passed = duration(now() - shownSince);
    setText(badgeSince, passed && `for ${passed}`);
    badge.title = `${shownState} since ${new Date(shownSince).toLocaleTimeString()}`;
  }

  function setSocket(value) {
    socket = value;
    showState();
  }

  // ---- the socket

  // Tell the server which cards the page has, so that it sends only the others. The extension announces a connection
  // first and reads its URL later, perhaps after seconds: the URL is computed when it is read.
  document.addEventListener("htmx:ws:before:connection", (event) => {
    const { connection } = event.detail;
    if (Object.getOwnPropertyDescriptor(connection, "url").get) return;
    const url = new URL(connection.url);
    Object.defineProperty(connection, "url", {
      get() {
        const etags = new Set(Array.from(document.querySelectorAll("[data-etag]"), (card) => card.dataset.etag));
        url.searchParams.set("seen", [...etags].join());
        return url.href;
      },
    });
  });

  document.addEventListener("htmx:ws:after:connection", () => setSocket("open"));
  document.addEventListener("htmx:ws:close", (event) => {
    if (event.detail.code === loginCode) askForLogin();
    // The extension closes the socket of a hidden tab, and opens it again when the tab is shown.
    setSocket(document.hidden ? "opening" : "closed");
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && socket !== "open") setSocket("opening");
  });

  function askForLogin() {
    if (!updates.dataset.loginUrl) {
      location.reload();
      return;
    }
    // The server couldn't tell who is looking when it rendered this page, and couldn't after a reload either.
    nextPollAt = Infinity;
    for (const placeholder of document.querySelectorAll(".live-card .live-placeholder")) {
      const link = document.createElement("a");
      link.href = updates.dataset.loginUrl;
      link.textContent = "Log in";
      placeholder.replaceChildren(link, " to see this ranking.");
    }
  }

  // Messages are cards, which htmx swaps in, or JSON, which is for this script.
  document.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const { data } = event.detail.message;
    if (!data.startsWith("{")) {
      if (paused) event.preventDefault();
      else pushedSincePoll = true;
      return;
    }
    event.preventDefault();
    const message = JSON.parse(data);
    if (message.type !== "ping") return;
    clockOffset = Date.parse(message.now) - Date.now();
    for (const [slug, moment] of Object.entries(message.checked_at)) pingCheckedAt.set(slug, Date.parse(moment));
    showAges();
  });

  // ---- polls, cancelled while the socket is open, the tab is hidden or the page is paused.
  // A filter in hx-trigger would need eval, which the Content-Security-Policy forbids.

  let nextPollAt = 0;
  let pollNow = false;
  let pushedSincePoll = false;

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== polls) return;
    const isNeedless = socket === "open" || document.hidden || paused || Date.now() < nextPollAt;
    if (isNeedless && !pollNow) event.preventDefault();
    // The tag is of the cards that were last polled; the page shows newer ones.
    else if (pushedSincePoll) delete ctx.request.headers["HX-PTag"];
    pollNow = false;
  });

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== polls) return;
    const { status, headers } = ctx.response ?? {};
    if (status === 401) askForLogin();
    if (status === 200) pushedSincePoll = false;
    lastPollWorked = status === 200 || status === 304;
    if (headers?.has("Checked-At")) pollCheckedAt = Date.parse(headers.get("Checked-At"));
    if (headers?.has("Retry-After")) nextPollAt = Date.now() + Number(headers.get("Retry-After")) * 1000;
    showAges();
  });

  // ---- the pause button

  if (pauseButton) {
    pauseButton.hidden = false;
    pauseButton.addEventListener("click", () => {
      paused = !paused;
      pauseButton.textContent = paused ? "Resume" : "Pause";
      pauseButton.setAttribute("aria-pressed", String(paused));
      showState();
      if (paused) return;
      // Poll for what was pushed while the page was paused.
      pollNow = pushedSincePoll = true;
      htmx.trigger(polls, "live:refresh");
    });
  }

  // ---- rows glide to their new places; a CSS transition lets the bars glide

  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  let oldTops = new Map();

  const rows = () => document.querySelectorAll(".live-card .live-row");

  document.addEventListener("htmx:before:swap", () => {
    oldTops = new Map();
    if (reducedMotion.matches) return;
    for (const row of rows()) oldTops.set(row.id, row.getBoundingClientRect().top);
  });

  document.addEventListener("htmx:after:swap", () => {
    showAges();
    for (const row of rows()) {
      const oldTop = oldTops.get(row.id);
      if (oldTop === undefined) {
        if (oldTops.size) row.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
        continue;
      }
      const distance = oldTop - row.getBoundingClientRect().top;
      if (Math.abs(distance) > 1) {
        row.animate([{ transform: `translateY(${distance}px)` }, { transform: "none" }], GLIDE);
      }
    }
  });

  setInterval(showAges, 1000);
  showAges();
})();
