// What is true of this page, judged by what it has received: its state, how old its rows are, and what the pill and the
// cards say about both. live.js reports what arrives.
window.livePage = (() => {
  "use strict";

  // From the template live/updates.html. A page has this element once, whatever its rankings.
  const updates = document.getElementById("live-updates");
  if (!updates) return null;
  // From the templates live/badge.html and live/embed.html. Where there is no pill, or one without details, the cards
  // speak for themselves.
  const badge = document.getElementById("badge");
  const badgeState = document.getElementById("badge-state");
  const badgeDetail = document.getElementById("badge-detail");

  const staleAfter = Number(updates.dataset.staleAfter) * 1000;
  const silentAfter = Number(updates.dataset.silentAfter) * 1000;
  const pollEvery = Number(updates.dataset.pollEvery) * 1000;

  // ---- texts, in the page's language: live/texts.py has them all

  const translations = JSON.parse(document.getElementById("live-texts")?.textContent ?? "{}");

  function text(english, values = {}) {
    return (translations[english] ?? english).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  // ---- time

  // A moment by both clocks of this machine: one may be set, the other may stand still while the machine sleeps.
  const mark = () => ({ wall: Date.now(), steady: performance.now() });
  const since = ({ wall, steady }) => Math.max(Date.now() - wall, performance.now() - steady);

  // Ages are by the server's clock, as of the last ping: this machine's may be wrong.
  let serverTime = 0;
  let serverTimeAt = mark();
  const language = document.documentElement.lang || "en";
  const now = () => serverTime + since(serverTimeAt);
  const clock = (moment) => new Date(moment).toLocaleTimeString(language, { hourCycle: "h23" });

  // The largest whole unit, as formats.duration in Python.
  function duration(ms) {
    const seconds = Math.floor(ms / 1000);
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
      if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
    }
    return "";
  }

  function age(moment) {
    const passed = duration(now() - moment);
    return passed ? text("{span} ago", { span: passed }) : text("just now");
  }

  // ---- what the server says of each ranking

  const checkedAt = new Map();
  let faults = {};
  // The seconds between two reads of rankings that are read rarely.
  let intervals = {};

  function hearPing(ping) {
    returnedAt = null;
    serverTime = Date.parse(ping.now);
    serverTimeAt = mark();
    for (const [slug, moment] of Object.entries(ping.checked_at)) {
      // Another process may have read it earlier than the one that sent the rows.
      checkedAt.set(slug, Math.max(checkedAt.get(slug) ?? 0, Date.parse(moment)));
    }
    // If the server's clock was set back, earlier times would be in the future.
    for (const [slug, moment] of checkedAt) checkedAt.set(slug, Math.min(moment, serverTime));
    faults = ping.faults;
    intervals = ping.intervals ?? {};
  }

  const cards = () => [...document.querySelectorAll("[data-ranking]")];
  const changedAt = (card) => Date.parse(card.querySelector("time.changed")?.dateTime) || 0;

  // 0 if it has never been read. Rows that have changed have been read.
  function lastRead(card) {
    return Math.min(Math.max(checkedAt.get(card.dataset.ranking) ?? 0, changedAt(card)), now());
  }

  const unreadFor = (card) => (lastRead(card) ? now() - lastRead(card) : since(openedAt));
  const staleAfterFor = (card) => staleAfter + 1000 * (intervals[card.dataset.ranking] ?? 0);
  const isStale = (card) => unreadFor(card) >= staleAfterFor(card);
  const hasFault = (card) => card.dataset.ranking in faults;

  // The server tells all viewers the same.
  function reasonOf(reason) {
    const [, seconds] = reason.match(/within ([\d.]+) s$/) ?? [];
    const known = seconds ? reason.replace(seconds, "{seconds}") : reason;
    return text(known, { seconds }).replaceAll("'", "’");
  }

  // As on the cards that the server renders.
  const faultOf = (card) => text("can’t be read: {reason}", { reason: reasonOf(faults[card.dataset.ranking].reason) });

  // ---- the state: closed, paused, reconnecting, fault, stale, polling or live; the first that is true

  const openedAt = mark();
  let heardAt = openedAt;
  let isSocketOpen = false;
  let isPolling = false;
  let hasPollFailed = false;
  let nextPollAt = 0;
  let closed = null;
  let paused = null;

  function state() {
    if (closed) return "closed";
    if (paused) return "paused";
    return unpausedState();
  }

  const isSilent = () => since(heardAt) >= silentAfter;

  // Back in view, the page asks again. Until it gets an answer, it tells nothing that the answer may refute.
  const RETURN_MS = 2000;
  let returnedAt = null;
  const isReturning = () => returnedAt !== null && since(returnedAt) < RETURN_MS;

  function unpausedState() {
    if (isReturning()) return "refreshing";
    if (isSilent() || (hasPollFailed && !isSocketOpen)) return "reconnecting";
    const all = cards();
    if (all.length && all.every(hasFault)) return "fault";
    if (all.length && all.every((card) => hasFault(card) || isStale(card))) return "stale";
    return isSocketOpen ? "live" : "polling";
  }

  function detailOf(current) {
    if (current === "polling") return text("every {seconds} s", { seconds: pollEvery / 1000 });
    if (current === "paused") {
      const waiting = text(paused.waiting === 1 ? "1 change waits" : "{count} changes wait", { count: paused.waiting });
      return text("since {time}", { time: clock(paused.at) }) + (paused.waiting ? ` · ${waiting}` : "");
    }
    if (current === "stale") {
      const unread = cards().filter((card) => !hasFault(card)).map(unreadFor);
      const source = document.querySelector(".live-card .source")?.textContent.trim().split(" ")[0];
      return text("no reading for {span}: {source} doesn’t answer", {
        span: duration(Math.min(...unread)),
        source: source || text("the database"),
      });
    }
    if (current === "reconnecting") {
      if (!navigator.onLine) return text("this browser is offline");
      if (isPolling) return text("trying now");
      return text("in {seconds} s", { seconds: Math.max(1, Math.ceil((nextPollAt - Date.now()) / 1000)) });
    }
    if (current === "fault") return text("the cards say why");
    return closed?.text ?? "";
  }

  // What becomes true by time alone: a card is stale, the connection is silent, and times are a second older.
  function untilNextChange() {
    const waits = [silentAfter - since(heardAt), ...cards().map((card) => staleAfterFor(card) - unreadFor(card))];
    return Math.ceil(Math.min(1000, ...waits.filter((wait) => wait > 0)));
  }

  // ---- the pill

  let shownState = "";
  let shownSince = 0;

  function fill(element, words, link) {
    const whole = link ? `${words} · ${link.textContent}` : words;
    if (element.textContent === whole) return;
    if (link) element.replaceChildren(`${words} · `, link.cloneNode(true));
    else element.textContent = words;
  }

  function showPill(current) {
    const isNew = current !== shownState;
    if (isNew) {
      shownState = current;
      shownSince = now();
    }
    if (!badge) return;
    const name = text(current === "fault" ? "can’t be read" : current);
    if (isNew) {
      badge.dataset.state = current;
      badge.title = text("{state} since {time}", { state: name, time: clock(shownSince) });
    }
    // Screen readers announce this element: a new state, and not each second of the details.
    const title = name[0].toUpperCase() + name.slice(1);
    fill(badgeState, title);
    if (!badgeDetail) return;
    fill(badgeDetail, detailOf(current), closed?.link);
    if (isNew) showTitle(current, title);
  }

  // ---- the title and the icon of a page that has the whole pill

  const ownTitle = document.title;
  const MARKS = { paused: "⏸ ", stale: "⚠ ", fault: "⚠ ", reconnecting: "⚠ ", closed: "⚠ " };
  const WARNING = '<path d="M16 3 30 28H2z" fill="#e0453a"/><path d="M16 12v8m0 3v2" stroke="#fff" stroke-width="3"/>';
  const ICONS = {
    live: '<circle cx="16" cy="16" r="12" fill="#27a05a"/>',
    polling: '<rect x="5" y="5" width="22" height="22" rx="4" fill="#4a86d8"/>',
    paused: '<path d="M10 5v22M22 5v22" stroke="#c98a12" stroke-width="7"/>',
    resting: '<circle cx="16" cy="16" r="10" fill="none" stroke="#8a9693" stroke-width="5"/>',
    closed: '<rect x="6" y="6" width="20" height="20" rx="3" fill="none" stroke="#8a9693" stroke-width="5"/>',
  };

  function showTitle(current, name) {
    // A hidden page without a socket asks for nothing, so that it knows of no state.
    const isResting = document.hidden && !isSocketOpen && !["closed", "paused"].includes(current);
    document.title = isResting ? ownTitle : `${MARKS[current] ?? ""}${name} · ${ownTitle}`;
    const shape = ICONS[isResting ? "resting" : current] ?? WARNING;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${shape}</svg>`;
    const icon = document.querySelector("link[rel=icon]");
    if (icon) icon.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  }

  // ---- the cards, which speak only where they differ from the page

  function showCard(card, current) {
    const held = ["live", "polling", "refreshing"].includes(current) ? "" : current;
    let own = "";
    if (hasFault(card)) own = "fault";
    else if (!held && current !== "refreshing" && isStale(card)) own = "stale";
    if (own || held) card.dataset.state = own || held;
    else delete card.dataset.state;
    showTime(card, own || held);
    const note = card.querySelector(".note");
    if (!note) return;
    let words = "";
    if (own === "fault") words = faultOf(card);
    else if (own === "stale") words = text("stale: no reading for {span}", { span: duration(unreadFor(card)) });
    else if (held && !badgeDetail) words = noteOf(held);
    fill(note, words, held === "closed" && !own && !badgeDetail ? closed.link : null);
    note.hidden = !words;
  }

  // The state by its name only where no pill shows it.
  function noteOf(held) {
    const isReachable = held !== "reconnecting" || !navigator.onLine;
    const detail = isReachable ? detailOf(held) : text("the server can’t be reached");
    return badge || held === "closed" ? detail : `${text(held)}: ${detail}`;
  }

  // Rows that may no longer be true have no age, which would grow as if they were.
  function showTime(card, held) {
    const time = card.querySelector("time.changed");
    const asOf = card.querySelector(".as-of");
    if (!time || !asOf) return;
    asOf.hidden = !held;
    time.parentElement.hidden = Boolean(held);
    if (held) fill(asOf, text("as of {time}", { time: clock(paused?.asOf.get(card.dataset.ranking) ?? lastRead(card)) }));
    else fill(time, age(changedAt(card)));
  }

  function show() {
    const current = state();
    showPill(current);
    for (const card of cards()) showCard(card, current);
  }

  // ---- pausing

  function pause() {
    const isCurrent = ["live", "polling"].includes(unpausedState());
    const asOf = (card) => (isCurrent && !hasFault(card) && !isStale(card) ? now() : lastRead(card));
    paused = {
      at: now(),
      asOf: new Map(cards().map((card) => [card.dataset.ranking, asOf(card)])),
      etags: new Map(cards().map((card) => [card.dataset.ranking, card.dataset.etag])),
      waiting: 0,
    };
  }

  // Count the cards in a message or an answer whose rows differ from the last that came.
  function countChanges(html) {
    for (const [, slug, etag] of html.matchAll(/data-ranking="([^"]+)" data-etag="([^"]*)"/g)) {
      if (paused.etags.has(slug) && paused.etags.get(slug) !== etag) paused.waiting += 1;
      paused.etags.set(slug, etag);
    }
  }

  hearPing(JSON.parse(updates.dataset.ping));

  return {
    updates, text, mark, since, silentAfter, hearPing, pause, countChanges, show, isSilent, untilNextChange,
    isPaused: () => paused !== null,
    isClosed: () => closed !== null,
    resume: () => { paused = null; },
    // The reason, and a link to the remedy or null.
    close: (reason, link) => { closed ??= { text: text("{reason} at {time}", { reason, time: clock(now()).slice(0, 5) }), link }; },
    // Something current has come from the server.
    hear: () => { heardAt = mark(); },
    isSocketOpen: () => isSocketOpen,
    comeBack: () => { returnedAt = heardAt = mark(); },
    setSocketOpen: (isOpen) => { isSocketOpen = isOpen; },
    hasPollFailed: () => hasPollFailed,
    setPollFailed: (hasFailed) => { hasPollFailed = hasFailed; },
    isPolling: () => isPolling,
    setPolling: (isUnderway) => { isPolling = isUnderway; },
    setNextPoll: (moment) => { nextPollAt = moment; },
  };
})();
