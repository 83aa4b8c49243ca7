// A plain script, so that the chosen theme stands before the first paint; `theme.js` is the switch.
(() => {
  try {
    const theme = localStorage.getItem("dermoscope-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; the page then follows the system.
  }
})();
