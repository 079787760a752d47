// A notification for each limit that is passed while the page is open, also in a tab in the background, where its viewer has
// asked for them. A paused page hears of none. A card and its rows have the texts of their crossings by id in data-alerts,
// as JSON.
(() => {
  "use strict";

  const { NOTIFY, stored } = window.liveBoard;
  const title = document.querySelector("h1").textContent;
  const told = new Set();

  function notify(body, tag) {
    if (stored(NOTIFY) !== true || Notification.permission !== "granted") return;
    try {
      new Notification(title, { body, tag });
    } catch {
      // Chromium on Android has notifications for service workers only.
    }
  }

  function look(isFirst) {
    for (const { dataset } of document.querySelectorAll("#cards [data-alerts]")) {
      for (const [id, text] of Object.entries(JSON.parse(dataset.alerts))) {
        if (!told.has(id) && !isFirst) notify(text, id);
        told.add(id);
      }
    }
  }

  window.livePage?.listenInBackground();
  look(true);
  document.addEventListener("htmx:after:swap", () => look(false));
  // Other rankings or another window: what was passed before isn't news.
  document.addEventListener("live:selected", () => look(true));
})();
