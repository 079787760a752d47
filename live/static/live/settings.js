// The settings and the other forms of the menu. board.js loads it when one of them is opened; without it, the settings lead to
// an address that shows them.
(() => {
  "use strict";

  const { NOTIFY, byId, here, keep, legible, load, note, store, stored, text, wholeAddress, board } = window.liveBoard;
  const form = byId("choices");

  // ---- the order of the rankings

  function moveButton(item, step) {
    const label = text(step < 0 ? "Move {ranking} up" : "Move {ranking} down", { ranking: item.querySelector("span").textContent });
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = step < 0 ? "↑" : "↓";
    button.ariaLabel = button.title = label;
    button.addEventListener("click", () => {
      if (step < 0) item.previousElementSibling?.before(item);
      else item.nextElementSibling?.after(item);
      button.focus();
    });
    return button;
  }

  for (const item of form.querySelectorAll(".choices li")) {
    item.append(moveButton(item, -1), moveButton(item, 1));
  }

  // ---- what is chosen

  function choices() {
    const chosen = Object.fromEntries(new FormData(form));
    const { rankings } = board().choices;
    chosen.rankings = new FormData(form).getAll("rankings").join();
    // The defaults aren't kept, so that a new ranking is shown too.
    if (chosen.rankings === rankings.join()) chosen.rankings = "";
    const defaults = { refresh: "push", theme: "auto", shortcuts: "on", window: "all" };
    for (const [name, value] of Object.entries(defaults)) if (chosen[name] === value) chosen[name] = "";
    return chosen;
  }

  async function show(chosen) {
    await keep(chosen);
    const url = new URL(form.action);
    for (const name of ["kiosk", "boards", "at", "filter"]) {
      if (here().searchParams.has(name)) url.searchParams.set(name, here().searchParams.get(name));
    }
    for (const [name, value] of Object.entries(chosen)) if (value) url.searchParams.set(name, value);
    location.assign(legible(url));
  }

  window.liveBoard.apply = () => show(choices());

  byId("forget").hidden = false;
  byId("forget").addEventListener("click", async () => {
    await keep(Object.fromEntries([...Object.keys(choices()), "filter"].map((name) => [name, ""])));
    location.assign(form.action);
  });

  // ---- notifications, which the browser allows on a click only

  const notify = byId("choose-notify");

  function showPermission() {
    const isPossible = isSecureContext && "Notification" in window;
    byId("notify").hidden = false;
    notify.disabled = !isPossible || Notification.permission === "denied";
    notify.checked = isPossible && Notification.permission === "granted" && stored(NOTIFY) === true;
    const reason = text(isPossible ? "This browser refuses notifications of this site." : "Only over HTTPS can a page notify.");
    byId("notify-note").textContent = notify.disabled ? reason : "";
  }

  if (notify) {
    showPermission();
    notify.addEventListener("change", async () => {
      store(NOTIFY, notify.checked && (await Notification.requestPermission()) === "granted");
      showPermission();
      if (notify.checked) load("alerts");
    });
  }

  // ---- the link, and the board as it was

  const copy = byId("copy-link");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    history.replaceState(null, "", wholeAddress());
    const isCopied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    note("link", text(isCopied ? "The link is copied." : "The address bar has the link."), 4000);
  });

  const at = byId("at");
  if (at) {
    const field = at.querySelector("input");
    const local = (date) => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    at.hidden = false;
    byId("menu").addEventListener("toggle", () => { field.max = local(new Date()); });
    field.value = local(new Date(Date.now() - 3600 * 1000));
    at.addEventListener("submit", (event) => {
      event.preventDefault();
      const offset = -new Date(field.value).getTimezoneOffset();
      const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
      const zone = `${offset < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
      const url = here();
      url.searchParams.set("at", `${field.value}${zone}`);
      location.assign(legible(url));
    });
  }
})();
