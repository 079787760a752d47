// A notification for each limit that is passed while the page is open, where its viewer has asked for them. A paused page
// hears of none. The cards name what has passed a limit in data-alert, and say it in data-alert-text.
(() => {
  "use strict";

  const { NOTIFY, stored } = window.liveBoard;
  const title = document.title;
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
    for (const { dataset } of document.querySelectorAll("#cards [data-alert]")) {
      if (!told.has(dataset.alert) && !isFirst) notify(dataset.alertText, dataset.alert);
      told.add(dataset.alert);
    }
  }

  look(true);
  document.addEventListener("htmx:after:swap", () => look(false));
  // Other rankings or another window: what was passed before isn't news.
  document.addEventListener("live:selected", () => look(true));
})();
