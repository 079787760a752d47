// For pages that embed widgets: gives each iframe the height of its ranking, and tells the widget whether the iframe is
// dark. It takes messages only from iframes of this page with a document of the site that this script is from.
(() => {
  "use strict";

  const site = new URL(document.currentScript.src).origin;
  const MAX_HEIGHT = 4000;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const widgets = () => [...document.querySelectorAll("iframe")].filter((frame) => frame.src.startsWith(`${site}/`));

  function tellScheme(frame) {
    const schemes = getComputedStyle(frame).colorScheme.split(" ");
    const isDark = schemes.includes("dark") && (dark.matches || !schemes.includes("light"));
    frame.contentWindow?.postMessage({ type: "live-color-scheme", scheme: isDark ? "dark" : "light" }, "*");
  }

  addEventListener("message", ({ origin, source, data }) => {
    if (origin !== site || data?.type !== "live-height") return;
    const frame = widgets().find(({ contentWindow }) => contentWindow === source);
    if (!frame || !(data.height > 0 && data.height <= MAX_HEIGHT)) return;
    if (frame.style.height === `${data.height}px`) return;
    frame.style.height = `${data.height}px`;
    tellScheme(frame);
  });

  // Those that were loaded before this script send their heights again.
  widgets().forEach(tellScheme);
  dark.addEventListener("change", () => widgets().forEach(tellScheme));
})();
