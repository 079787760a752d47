// What htmx leaves to us: which of socket and polling is on, the badge, ages, and rows that glide to their place.
(() => {
  "use strict";

  const stage = document.getElementById("live-updates");
  if (!stage) return;
  const cards = document.getElementById("live-polls");
  const badge = document.getElementById("badge");
  const badgeState = document.getElementById("badge-state");
  const badgeSince = document.getElementById("badge-since");
  const pauseButton = document.getElementById("pause");

  const GLIDE = { duration: 500, easing: "cubic-bezier(.2, .7, .2, 1)" };
  const loginCode = Number(stage.dataset.loginCode);
  const staleAfter = Number(stage.dataset.staleAfter) * 1000;

  // ---- clocks: the server's is what counts, this machine's may be wrong

  let ahead = Date.parse(stage.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;
  const checkedAt = new Map();
  let checkedAll = Date.parse(stage.dataset.checkedAt);

  function span(ms) {
    const seconds = Math.floor(ms / 1000);
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
      if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
    }
    return "";
  }

  // The same words as formats.age.
  const age = (moment) => (span(now() - moment) ? `${span(now() - moment)} ago` : "just now");

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tellAges() {
    for (const card of document.querySelectorAll("[data-ranking]")) {
      const time = card.querySelector("time");
      if (!time) continue;
      write(time, age(Date.parse(time.dateTime)));
      const checked = Math.max(checkedAt.get(card.dataset.ranking) ?? 0, checkedAll);
      const stale = card.querySelector(".stale");
      stale.hidden = now() - checked <= staleAfter;
      write(stale, stale.hidden ? "" : `stale: last read ${age(checked)}`);
    }
    tellState();
  }

  // ---- state: paused, live, polling or disconnected, and since when

  let paused = false;
  let socket = "opening";
  let polled = true;
  let shown = "";
  let since = 0;

  function state() {
    if (paused) return "paused";
    if (socket === "open") return "live";
    if (socket === "opening") return "connecting";
    return polled ? "polling" : "disconnected";
  }

  function tellState() {
    // A page of somebody else's has none.
    if (!badge) return;
    if (state() !== shown) {
      shown = state();
      since = now();
      badge.dataset.state = shown;
    }
    // Apart from each other, so that only the state is read aloud when it changes.
    write(badgeState, shown);
    const length = span(now() - since);
    write(badgeSince, length && `for ${length}`);
    badge.title = `${shown} since ${new Date(since).toLocaleTimeString()}`;
  }

  const setSocket = (value) => {
    socket = value;
    tellState();
  };

  // A socket says which cards are here already, and gets only those that differ. htmx reads the URL whenever it
  // connects, which may be seconds after it said so.
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
    // A hidden tab's socket is closed by htmx and comes back with the tab.
    setSocket(document.hidden ? "opening" : "closed");
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && socket !== "open") setSocket("opening");
  });

  // A page that couldn't tell who is looking would come back the same.
  function askForLogin() {
    if (!stage.dataset.loginUrl) {
      location.reload();
      return;
    }
    notBefore = Infinity;
    for (const place of document.querySelectorAll(".live-card .live-placeholder")) {
      const link = document.createElement("a");
      link.href = stage.dataset.loginUrl;
      link.textContent = "Log in";
      place.replaceChildren(link, " to see this ranking.");
    }
  }

  // ---- frames: pings are for us, cards for htmx

  document.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const { data } = event.detail.message;
    if (!data.startsWith("{")) {
      if (paused) event.preventDefault();
      else pushed = true;
      return;
    }
    event.preventDefault();
    const message = JSON.parse(data);
    if (message.type !== "ping") return;
    ahead = Date.parse(message.now) - Date.now();
    for (const [slug, moment] of Object.entries(message.checked_at)) checkedAt.set(slug, Date.parse(moment));
    tellAges();
  });

  // ---- polls: none while the socket brings the news, the tab is hidden or the page paused.
  // A trigger filter would need eval, which the Content-Security-Policy forbids.

  let notBefore = 0;
  let wanted = false;
  let pushed = false;

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== cards) return;
    const needless = socket === "open" || document.hidden || paused || Date.now() < notBefore;
    if (needless && !wanted) event.preventDefault();
    // The tag is that of the last poll; it says nothing of what was pushed since.
    else if (pushed) delete ctx.request.headers["HX-PTag"];
    wanted = false;
  });

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== cards) return;
    const { status, headers } = ctx.response ?? {};
    if (status === 401) askForLogin();
    if (status === 200) pushed = false;
    polled = status === 200 || status === 304;
    if (headers?.has("Checked-At")) checkedAll = Date.parse(headers.get("Checked-At"));
    if (headers?.has("Retry-After")) notBefore = Date.now() + Number(headers.get("Retry-After")) * 1000;
    tellAges();
  });

  // ---- pause

  if (pauseButton) {
    pauseButton.hidden = false;
    pauseButton.addEventListener("click", () => {
      paused = !paused;
      pauseButton.textContent = paused ? "Resume" : "Pause";
      pauseButton.setAttribute("aria-pressed", String(paused));
      tellState();
      if (paused) return;
      // What was missed meanwhile.
      wanted = pushed = true;
      htmx.trigger(cards, "live:refresh");
    });
  }

  // ---- rows glide to their new place; bars glide by a CSS transition on their width

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let places = new Map();

  const rows = () => document.querySelectorAll(".live-card .live-row");

  document.addEventListener("htmx:before:swap", () => {
    places = new Map();
    if (still.matches) return;
    for (const row of rows()) places.set(row.id, row.getBoundingClientRect().top);
  });

  document.addEventListener("htmx:after:swap", () => {
    tellAges();
    for (const row of rows()) {
      const from = places.get(row.id);
      if (from === undefined) {
        if (places.size) row.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
        continue;
      }
      const by = from - row.getBoundingClientRect().top;
      if (Math.abs(by) > 1) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], GLIDE);
    }
  });

  setInterval(tellAges, 1000);
  tellAges();
})();
