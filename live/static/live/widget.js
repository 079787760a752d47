// A widget inside another site's page: corners that show the page, its height for embed.js, and no socket while it is out
// of view. Loaded in the head, so that nothing is painted before the corners are right.
(() => {
  "use strict";

  const root = document.documentElement;
  if (window.parent === window) {
    root.dataset.alone = "";
    return;
  }

  // ---- the corners: a browser paints an opaque canvas unless the root's colour scheme is that of the iframe element.
  // https://drafts.csswg.org/css-color-adjust/#color-scheme-effect
  // The body has the colour scheme of the widget itself.

  // Some browsers tell a document in an iframe to prefer the iframe's scheme, so that "light dark" is always that one. In
  // others it is the viewer's; there, most iframes are light, and embed.js tells of those that aren't.
  function prefersSchemeOfIframe() {
    const frame = document.createElement("iframe");
    Object.assign(frame.style, { position: "absolute", width: 0, height: 0, border: 0 });
    root.append(frame);
    const isDarkIn = (scheme) => {
      frame.style.colorScheme = scheme;
      return frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches;
    };
    const isTold = isDarkIn("dark") && !isDarkIn("light");
    frame.remove();
    return isTold;
  }

  root.style.colorScheme = prefersSchemeOfIframe() ? "light dark" : "normal";

  addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || data?.type !== "live-color-scheme") return;
    if (["light", "dark"].includes(data.scheme)) root.style.colorScheme = data.scheme;
    // embed.js may have come too late for the height.
    height = 0;
    tellHeight();
  });

  // ---- the height, for the page around the widget only. Without a referrer, it isn't known which page that is.

  const host = window.location.ancestorOrigins?.[0] ?? (document.referrer && new URL(document.referrer).origin);
  let height = 0;

  function tellHeight() {
    const now = Math.ceil(document.querySelector("main")?.getBoundingClientRect().height ?? 0);
    if (!host || !now || now === height) return;
    height = now;
    window.parent.postMessage({ type: "live-height", height }, host);
  }

  document.addEventListener("DOMContentLoaded", () => {
    new ResizeObserver(tellHeight).observe(document.querySelector("main"));
  });

  // ---- out of view, the document counts as hidden: then htmx closes the socket, and live.js doesn't poll.

  const isTabHidden = Object.getOwnPropertyDescriptor(Document.prototype, "hidden").get.bind(document);
  let isInView = true;
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isTabHidden() || !isInView });

  document.addEventListener("DOMContentLoaded", () => {
    // The last entry is the newest: a busy browser tells of several changes at once.
    new IntersectionObserver((entries) => {
      const { isIntersecting } = entries.at(-1);
      if (isIntersecting === isInView) return;
      isInView = isIntersecting;
      document.dispatchEvent(new Event("visibilitychange"));
    }).observe(document.querySelector("main"));
  });

  // htmx closes only sockets that are open.
  document.addEventListener("htmx:ws:after:connection", ({ detail }) => {
    if (document.hidden) detail.connection.socket.close();
  });
})();
