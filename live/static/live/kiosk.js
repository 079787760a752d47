// The kiosk: fills a wall, shows its controls only to those who ask, and runs for weeks. board.js loads it where it is needed.
(() => {
  "use strict";

  const { board, here, legible, note, text } = window.liveBoard;
  const root = document.documentElement;

  const SHOW_CONTROLS_MS = 5000;
  const HOUR_MS = 3600 * 1000;
  let idleTimer = 0;
  let rotationTimer = 0;
  let versionTimer = 0;
  // What the kiosk takes turns with. The page of one of them has no others.
  let boards = [];
  let turn = 0;
  let address = "";
  let lock = null;

  const isKiosk = () => here().searchParams.has("kiosk");

  function showControls() {
    root.classList.remove("idle");
    clearTimeout(idleTimer);
    if (isKiosk()) idleTimer = setTimeout(() => root.classList.add("idle"), SHOW_CONTROLS_MS);
  }

  // The browser takes the lock back while the tab is hidden.
  async function keepAwake() {
    if (!isKiosk() || document.hidden || (lock && !lock.released)) return;
    if (!isSecureContext) return note("awake", text("The screen may fall asleep: only over HTTPS can a page keep it awake."));
    try {
      lock = await navigator.wakeLock.request("screen");
      note("awake", "");
    } catch {
      note("awake", text("This browser doesn’t keep the screen awake."));
    }
  }

  function takeTurn() {
    // Not while somebody is looking for something, and not once there is nothing more to show.
    if (isBusy() || livePage?.isClosed()) return;
    const url = here();
    turn = (turn + 1) % boards.length;
    for (const [name, value] of Object.entries(boards[turn])) url.searchParams.set(name, value);
    livePage?.visit(legible(url));
  }

  const isBusy = () => document.hidden || !root.classList.contains("idle") || livePage?.isPaused();
  const addresses = (page) =>
    Array.from(page.querySelectorAll("script[src], link[rel=stylesheet]"), ({ attributes: { src, href } }) => (src ?? href).value);

  // A new version has other hashes in the names of its files. Without the network or the login, this page is better.
  async function reloadIfNew() {
    if (isBusy() || performance.now() < 24 * HOUR_MS) return;
    const answer = await fetch(location.href, { redirect: "error", cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    const current = new DOMParser().parseFromString(await answer.text(), "text/html");
    const own = addresses(document);
    if (current.getElementById("cards") && !addresses(current).every((file) => own.includes(file))) location.reload();
  }

  function showKiosk() {
    root.classList.toggle("kiosk", isKiosk());
    // For motion.js: cards have other sizes now.
    dispatchEvent(new Event("resize"));
    for (const timer of [rotationTimer, versionTimer]) clearInterval(timer);
    showControls();
    if (!isKiosk()) {
      address = "";
      lock?.release();
      lock = null;
      note("awake", "");
      return;
    }
    keepAwake();
    const seconds = Number(here().searchParams.get("kiosk"));
    if (address !== here().href) {
      address = here().href;
      boards = board().rotation;
      // The first comes next, unless the page is one of them already.
      turn = boards.findIndex(({ window, rankings }) => !rankings && window === board().window);
    }
    if (seconds && boards.length > 1) rotationTimer = setInterval(takeTurn, seconds * 1000);
    versionTimer = setInterval(reloadIfNew, HOUR_MS);
  }

  document.addEventListener("visibilitychange", keepAwake);
  for (const name of ["pointermove", "pointerdown"]) addEventListener(name, showControls, { passive: true });
  addEventListener("keydown", ({ key }) => ["Escape", "Tab"].includes(key) && showControls());
  // The controls stay while they are used.
  addEventListener("focusin", ({ target }) => target.closest("#controls, [popover]") && showControls());

  window.liveBoard.showKiosk = showKiosk;
})();
