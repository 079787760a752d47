// What a viewer does with a page: its controls, its keys, the filter, and what is kept of them. It is loaded in the head, so
// that the theme is there before the first paint. live.controls says in data-board what the page is.
(() => {
  "use strict";

  const root = document.documentElement;
  let board = JSON.parse(root.dataset.board || "{}");
  const byId = (id) => document.getElementById(id);
  // A text as live.texts has it in the page's language.
  let texts = null;

  function text(english, values = {}) {
    texts ??= JSON.parse(byId("live-texts")?.textContent ?? "{}");
    return (texts[english] ?? english).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  // ---- what is kept: by the server for its users, by this browser for others. The address wins over both.

  const STORE = "live-board";
  const NOTIFY = "live-notify";
  const isKeptHere = !board.kept;

  function stored(name) {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? {};
    } catch {
      return {};
    }
  }

  function store(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value));
    } catch {
      // A browser that keeps nothing shows the defaults.
    }
  }

  const kept = board.kept ?? stored(STORE);

  async function keep(choices) {
    Object.assign(kept, choices);
    if (isKeptHere) return store(STORE, kept);
    const headers = { "X-CSRFToken": root.dataset.token };
    const body = new URLSearchParams(choices);
    const answer = await fetch(board.keepUrl, { method: "POST", headers, body, keepalive: true }).catch(() => null);
    note("kept", answer?.ok ? "" : text("Your choice couldn’t be kept."));
  }

  // What this browser keeps may be of an older version of the site.
  function usable(name) {
    const value = kept[name];
    if (typeof value !== "string" || !value) return "";
    if (name === "filter") return value;
    const usual = name === "rankings" ? value.split(",") : [value];
    return usual.filter((choice) => board.choices[name].includes(choice)).join();
  }

  const here = () => new URL(location.href);
  const legible = (url) => url.href.replaceAll("%2C", ",");

  // The address with all that is chosen. Other pages than the board have rows of their own, in the same language.
  function wholeAddress() {
    const url = here();
    for (const name of board.isBoard ? Object.keys(board.choices) : ["language"]) {
      if (!url.searchParams.has(name) && usable(name)) url.searchParams.set(name, usable(name));
    }
    return legible(url);
  }

  if (isKeptHere && board.choices && wholeAddress() !== legible(here())) {
    location.replace(wholeAddress());
    return;
  }

  function putIntoAddress(name, value) {
    const url = here();
    url.searchParams.set(name, value);
    history.replaceState(null, "", legible(url));
  }

  // ---- the theme

  const THEMES = ["auto", "light", "dark"];

  function themeText(theme) {
    if (theme === "auto") return text("Theme: as the system");
    return text(theme === "dark" ? "Theme: dark" : "Theme: light");
  }

  function setTheme(theme) {
    root.dataset.theme = theme;
    byId("theme").ariaLabel = themeText(theme);
  }

  const theme = here().searchParams.get("theme") ?? (isKeptHere ? kept.theme : null);
  if (THEMES.includes(theme)) root.dataset.theme = theme;

  function nextTheme() {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    setTheme(next);
    keep({ theme: next });
    putIntoAddress("theme", next);
    note("theme", themeText(next), 2000);
  }

  // ---- notes: one line for all, which screen readers announce

  const notes = new Map();

  function note(name, words, forMs) {
    notes.delete(name);
    if (words) notes.set(name, words);
    byId("board-note").textContent = [...notes.values()].join(" · ");
    if (words && forMs) setTimeout(() => notes.get(name) === words && note(name, ""), forMs);
  }

  // ---- other rows in the same page, so that it stays in full screen

  async function go(url, isBack) {
    const [before, address] = [location.href, legible(url)];
    // What other pages show besides their cards is the server's.
    if (!board.isBoard) return location.assign(address);
    if (!isBack) history.pushState(null, "", address);
    const isShown = await window.livePage?.visit(address);
    if (isShown) return;
    // Without an answer, the rows that are shown are better than the browser's own error page.
    if (isShown !== null) return location.reload();
    if (location.href === address) history.replaceState(null, "", before);
    note("unreachable", text("the server can’t be reached"), 5000);
  }

  function chooseWindow(link) {
    if (board.isBoard) keep({ window: link.dataset.window });
    const url = here();
    url.searchParams.set("window", link.dataset.window);
    go(url);
  }

  function afterVisit() {
    board = JSON.parse(root.dataset.board);
    byId("json")?.setAttribute("href", byId("json").pathname + board.search);
    for (const link of document.querySelectorAll("#windows a")) {
      if (link.dataset.window === board.window) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // ---- pause and full screen

  function togglePause() {
    if (!window.livePage) return;
    const isPaused = livePage.togglePause();
    const label = text(isPaused ? "Resume" : "Pause");
    Object.assign(byId("pause"), { title: `${label} (p)`, ariaLabel: label });
    byId("pause").toggleAttribute("data-paused", isPaused);
  }

  function toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen?.().catch(() => {});
  }

  // ---- the settings, as they are by keys and by what this browser keeps

  function showChoices() {
    const choices = { theme: root.dataset.theme, shortcuts: areKeysOn() ? "on" : "off", window: board.window };
    const fields = byId("choices").elements;
    for (const [name, value] of Object.entries(choices)) if (fields[name]) fields[name].value = value;
    load("settings");
  }

  // ---- scripts that few pages need

  const loading = {};

  function load(name) {
    loading[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = board.scripts[name];
      script.addEventListener("load", () => resolve(window.liveBoard));
      script.addEventListener("error", () => {
        root.removeAttribute("data-filtering");
        // The next one who needs it tries again.
        delete loading[name];
        reject(new Error(`${script.src} can’t be loaded`));
      });
      document.head.append(script);
    });
    // The browser's console says so.
    loading[name].catch(() => {});
    return loading[name];
  }

  // Full screen is only for those who have just pressed something.
  function toggleKiosk() {
    const url = here();
    const isKiosk = !url.searchParams.has("kiosk");
    if (isKiosk) url.searchParams.set("kiosk", "");
    else for (const name of ["kiosk", "boards"]) url.searchParams.delete(name);
    history.pushState(null, "", legible(url));
    // It may have shown another board.
    if (!isKiosk) go(url, true);
    if (isKiosk !== Boolean(document.fullscreenElement)) toggleFullScreen();
    load("kiosk").then(({ showKiosk }) => showKiosk());
  }

  const toggleFilter = (isOpen) => load("filter").then(({ openFilter }) => openFilter(isOpen));

  // ---- keys and clicks

  const isOpen = (id) => byId(id)?.matches(":popover-open") ?? false;
  const areKeysOn = () => (here().searchParams.get("shortcuts") ?? kept.shortcuts) !== "off";

  const KEYS = {
    p: togglePause,
    f: toggleFullScreen,
    t: nextTheme,
    k: () => board.isBoard && toggleKiosk(),
    s: () => byId("settings")?.togglePopover(),
    "?": () => byId("help")?.togglePopover(),
    "/": () => !byId("find").hidden && toggleFilter(true),
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "Escape" && byId("menu")?.open) closeMenu(true);
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || !areKeysOn()) return;
    if (target.closest?.("input, textarea, select, [contenteditable]")) return;
    const dialog = document.querySelector("[popover]:popover-open");
    if (dialog && !(key === "?" && isOpen("help"))) return;
    const link = /^[1-9]$/.test(key) && document.querySelectorAll("#windows a")[key - 1];
    if (link) chooseWindow(link);
    else if (Object.hasOwn(KEYS, key)) KEYS[key]();
    else return;
    event.preventDefault();
  });

  function closeMenu(isByKey) {
    byId("menu").open = false;
    if (isByKey) byId("menu").querySelector("summary").focus();
  }

  document.addEventListener("click", (event) => {
    const { target } = event;
    if (event.defaultPrevented || !(target instanceof Element)) return;
    if (byId("menu")?.open && (!target.closest("#menu") || target.closest("#menu-items > :is(a, button)"))) {
      closeMenu(false);
    }
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = target.closest("#windows a");
    if (link) chooseWindow(link);
    else if (target.closest("#kiosk")) toggleKiosk();
    else return;
    event.preventDefault();
  });

  addEventListener("popstate", () => {
    go(here(), true);
    if (loading.kiosk) loading.kiosk.then(({ showKiosk }) => showKiosk());
  });

  // ---- the page

  window.liveBoard = {
    NOTIFY, byId, go, load, here, keep, legible, note, putIntoAddress, store, stored, text, wholeAddress, board: () => board,
  };

  // Until filter.js has hidden the rows that don't match.
  root.toggleAttribute("data-filtering", Boolean(board.filter));

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("controls")) return;
    setTheme(root.dataset.theme || "auto");
    const find = () => toggleFilter(byId("filter").hidden);
    const buttons = { find, pause: togglePause, "full-screen": toggleFullScreen, theme: nextTheme };
    for (const [id, action] of Object.entries(buttons)) byId(id).addEventListener("click", action);
    byId("theme").hidden = false;
    byId("pause").hidden = !window.livePage;
    byId("full-screen").hidden = !document.fullscreenEnabled;
    document.addEventListener("fullscreenchange", () => {
      byId("full-screen").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
    });
    for (const dialog of document.querySelectorAll("[popover]")) {
      dialog.addEventListener("toggle", ({ newState }) => {
        // The focus can't go back to the button in the menu, which is closed now.
        const hasFocus = document.body === document.activeElement || !document.activeElement.checkVisibility();
        if (newState === "closed" && hasFocus) byId("menu").firstElementChild.focus();
      });
    }
    byId("menu").addEventListener("toggle", () => load("settings"), { once: true });
    byId("settings").addEventListener("beforetoggle", ({ newState }) => newState === "open" && showChoices());
    byId("choices").addEventListener("submit", (event) => {
      event.preventDefault();
      load("settings").then(({ apply }) => apply(), () => byId("choices").submit());
    });
    if (!board.isBoard) return;
    byId("find").hidden = !window.livePage;
    document.addEventListener("live:selected", afterVisit);
    if (board.filter) load("filter");
    if (stored(NOTIFY) === true) load("alerts");
    if (here().searchParams.has("kiosk")) load("kiosk").then(({ showKiosk }) => showKiosk());
  });
})();
