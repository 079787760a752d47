// What htmx leaves to the page: when to poll and to connect again, other rows in the same page, and the login of a widget.
// state.js says what is true, and shows it.
(() => {
  "use strict";

  const page = window.livePage;
  const updates = page?.updates;
  const polls = () => document.getElementById("live-polls");

  // ---- the login, in another tab: an iframe must not show its page

  const LOGIN_CHECK_MS = 2000;
  const MAX_LOGIN_CHECKS = 300;
  // A page that is out of date after it has reloaded waits for its viewer.
  const MIN_RELOAD_MS = 60_000;

  // The address of the cards, or of a widget without them, answers 200 as soon as the viewer is logged in.
  async function reloadIfLoggedIn() {
    const address = polls()?.getAttribute("hx-get") ?? location.href;
    const answer = await fetch(address, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
    return answer?.ok;
  }

  let isAwaitingLogin = false;

  document.addEventListener("click", async ({ target }) => {
    if (isAwaitingLogin || !target.closest?.("a[data-login][target=_blank]")) return;
    isAwaitingLogin = true;
    for (let checks = 0; checks < MAX_LOGIN_CHECKS && !(await reloadIfLoggedIn()); checks += 1) {
      await new Promise((resolve) => setTimeout(resolve, LOGIN_CHECK_MS));
    }
    isAwaitingLogin = false;
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (page?.isClosed() ?? document.querySelector("a[data-login]"))) reloadIfLoggedIn();
  });

  if (!page) return;

  const loginCode = Number(updates.dataset.loginCode);
  const pollEvery = Number(updates.dataset.pollEvery) * 1000;
  const answerWithin = Number(updates.dataset.answerWithin) * 1000;

  function link(label, href) {
    const element = document.createElement("a");
    element.textContent = label;
    element.href = href;
    return element;
  }

  function askForLogin() {
    let login = null;
    if (updates.dataset.loginUrl) {
      login = link(page.text("log in"), updates.dataset.loginUrl);
      login.dataset.login = "";
      if (window.parent !== window) Object.assign(login, { target: "_blank", rel: "noopener" });
      // The server couldn't tell who is looking when it rendered these.
      for (const placeholder of document.querySelectorAll(".live-card[aria-busy] .live-placeholder")) {
        placeholder.replaceChildren(link(page.text("Log in to see this ranking."), updates.dataset.loginUrl));
      }
    }
    close(page.text("you were logged out"), login);
  }

  // A ranking of the board has been deleted: the board without it is another page, and a wall has nobody to reload it.
  function reloadOnce() {
    if (page.isPaused() || !document.getElementById("cards")) return false;
    const now = Date.now();
    try {
      if (now - Number(sessionStorage.getItem("live-reloaded-at")) < MIN_RELOAD_MS) return false;
      sessionStorage.setItem("live-reloaded-at", now);
    } catch {
      return false; // No storage: it would reload again and again.
    }
    location.reload();
    return true;
  }

  function close(reason, remedy) {
    page.close(reason, remedy);
    page.show();
  }

  // ---- the socket

  // A hidden page has no socket, unless it notifies.
  let listensInBackground = false;
  page.listenInBackground = () => {
    listensInBackground = true;
    if (connection) connection.config.pauseOnBackground = false;
  };

  // closed, opening or open: the server accepts a socket before it knows whether the viewer may subscribe.
  let socket = "closed";
  let connection = null;
  let openingSince = page.mark();
  let failures = 0;

  function setSocket(value) {
    socket = value;
    page.setSocketOpen(value === "open");
    page.show();
  }

  // Tell the server which cards the page has, so that it sends only the others. The extension announces a connection
  // first and reads its URL later, perhaps after seconds: the URL is computed when it is read.
  document.addEventListener("htmx:ws:before:connection", (event) => {
    connection = event.detail.connection;
    if (listensInBackground) connection.config.pauseOnBackground = false;
    if (Object.getOwnPropertyDescriptor(connection, "url").get) return;
    const url = new URL(connection.url);
    Object.defineProperty(connection, "url", {
      get() {
        socket = "opening";
        openingSince = page.mark();
        const etags = new Set(Array.from(document.querySelectorAll("[data-etag]"), (card) => card.dataset.etag));
        etags.delete("");
        url.searchParams.set("seen", [...etags].join());
        return url.href;
      },
    });
  });

  document.addEventListener("htmx:ws:close", (event) => {
    if (event.detail.code === loginCode) askForLogin();
    // htmx begins again with the shortest delay after a socket that the server accepted and refused.
    if (socket === "opening" && connection) connection.attempt = failures;
    failures += 1;
    // Whether polls work shows now.
    if (socket === "open") page.setPollFailed(false);
    // The page has opened another one in its place.
    if (event.detail.reason === "removed") socket = "closed";
    else setSocket("closed");
  });

  function subscribed() {
    failures = 0;
    setSocket("open");
  }

  const isOpeningFor = (time) => socket === "opening" && page.since(openingSince) > time;

  // On a connection that a proxy has forgotten, close() tells nothing for minutes. htmx takes this event for the close.
  function reconnect() {
    if (!connection?.socket) return;
    connection.socket.dispatchEvent(new CloseEvent("close", { code: 1006 }));
    // Otherwise what the connection still tells would count as the next one's.
    connection.abortController?.abort();
  }

  function reconnectIfSilent() {
    const isDead = socket === "open" ? page.isSilent() : isOpeningFor(page.silentAfter);
    if (!isDead || (document.hidden && !listensInBackground)) return;
    reconnect();
    htmx.trigger(polls(), "live:refresh");
  }

  // The server answers this page, so a socket that it doesn't answer is one that a proxy has forgotten.
  function reconnectAfterPoll(isFirstAnswer) {
    if (document.hidden || !isOpeningFor(isFirstAnswer ? pollEvery : answerWithin)) return;
    if (isFirstAnswer) failures = 0;
    reconnect();
  }

  // Messages are cards, which htmx swaps in, or JSON, which is for this script.
  document.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const { data } = event.detail.message;
    page.hear();
    if (!data.startsWith("{")) {
      subscribed();
      tag = "";
      if (!page.isPaused()) return;
      event.preventDefault();
      page.countChanges(data);
    } else {
      event.preventDefault();
      const message = JSON.parse(data);
      if (message.type === "ping") {
        page.hearPing(message);
        subscribed();
      }
    }
    page.show();
  });

  // ---- polls, cancelled while the socket is open, the tab is hidden or the page is closed.
  // A filter in hx-trigger would need eval, which the Content-Security-Policy forbids.

  let retryAt = 0;
  let pollNow = false;
  // The etag of the cards that were last polled; empty if the page shows or has left out newer ones.
  let tag = polls().dataset.tag;

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== polls()) return;
    if (ctx.sourceEvent?.type === "every" && Date.now() >= retryAt) page.setNextPoll(Date.now() + pollEvery);
    const isNeedless = socket === "open" || page.isPolling() || document.hidden || Date.now() < retryAt;
    if (page.isClosed() || (isNeedless && !pollNow)) {
      event.preventDefault();
      return;
    }
    pollNow = false;
    if (tag) ctx.request.headers["HX-PTag"] = tag;
    ctx.request.timeout = `${answerWithin}ms`;
  });

  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail.ctx.sourceElement === polls()) page.setPolling(true);
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== polls() || ctx.response.status !== 200) return;
    tag = ctx.response.headers.get("HX-PTag") ?? "";
    if (!page.isPaused()) return;
    event.preventDefault();
    page.countChanges(ctx.text);
  });

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== polls()) return;
    const { status, headers } = ctx.response ?? {};
    const isJson = headers?.get("Content-Type")?.startsWith("application/json");
    const worked = status === 200 || status === 304;
    const isFirstAnswer = worked && page.hasPollFailed();
    page.setPolling(false);
    page.setPollFailed(!worked);
    if (worked) {
      page.hear();
      reconnectAfterPoll(isFirstAnswer);
    }
    if (status === 401) askForLogin();
    // Not another server's answer, such as a proxy's during a deployment.
    else if ([400, 403, 404].includes(status) && isJson) {
      if (status === 404 && reloadOnce()) return;
      const reason = page.text(status === 403 ? "you are no longer allowed" : "this page went out of date");
      close(reason, link(page.text("reload"), location.href));
    }
    if (headers?.has("Live-Ping")) page.hearPing(JSON.parse(headers.get("Live-Ping")));
    if (headers?.has("Retry-After")) {
      retryAt = Date.now() + Number(headers.get("Retry-After")) * 1000;
      page.setNextPoll(retryAt);
    }
    page.show();
  });

  function refresh() {
    pollNow = true;
    htmx.trigger(polls(), "live:refresh");
  }

  // Hints: whether the server can be reached shows only in what comes from it.
  addEventListener("online", refresh);
  addEventListener("offline", () => page.show());

  // ---- for board.js: pause, and other rows in the same page

  page.togglePause = () => {
    if (page.isPaused()) page.resume();
    else page.pause();
    page.show();
    if (!page.isPaused()) {
      // Poll for what was left out while the page was paused.
      tag = "";
      refresh();
    }
    return page.isPaused();
  };

  let visits = 0;

  // Show the rows of another address of this page. Returns whether it worked, or null without an answer.
  page.visit = async (address) => {
    visits += 1;
    const visit = visits;
    const answer = await fetch(address, { redirect: "manual", cache: "no-store" }).catch(() => null);
    if (!answer?.ok) {
      // A poll tells why, such as the login.
      refresh();
      return answer && false;
    }
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (visit !== visits) return true;
    const [oldUpdates, newUpdates] = [document, next].map((tree) => tree.getElementById("live-updates"));
    const [oldCards, newCards] = [document, next].map((tree) => tree.getElementById("cards"));
    if (!oldCards || !newCards || !newUpdates) return false;
    oldCards.replaceWith(document.adoptNode(newCards));
    tag = newUpdates.firstElementChild.dataset.tag;
    page.hearPing(JSON.parse(newUpdates.dataset.ping));
    page.hear();
    if (page.isPaused()) page.pause();
    document.documentElement.dataset.board = next.documentElement.dataset.board;
    // Before htmx tells of a swap: these are other rows, and none of them has moved.
    document.dispatchEvent(new CustomEvent("live:selected"));
    // Closes the socket, and opens the next one.
    await htmx.swap({ sourceElement: oldUpdates, target: oldUpdates, swap: "outerHTML", text: newUpdates.outerHTML });
    return true;
  };

  document.addEventListener("htmx:after:swap", () => page.show());
  document.addEventListener("visibilitychange", () => {
    const hasListened = listensInBackground && socket === "open";
    if (!document.hidden && !hasListened) page.comeBack();
    page.show();
  });
  (function keepTrue() {
    reconnectIfSilent();
    page.show();
    setTimeout(keepTrue, page.untilNextChange());
  })();
})();
