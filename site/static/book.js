// What the theme leaves to be desired, in the browser.

// Sphinx's search reads each page that it found to show a few of its words; a page that
// was opened from a folder may not read another one.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A formula that is wider than the page scrolls by itself, so the keyboard must reach
// it. The theme sees to that for code and outputs, but not for formulas.
const reachWideFormulas = () =>
  document.querySelectorAll("div.math").forEach((formula) => {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
    else formula.removeAttribute("tabindex");
  });
window.addEventListener("load", reachWideFormulas);
window.addEventListener("resize", reachWideFormulas);
document.addEventListener("toggle", reachWideFormulas, true); // a fold was opened

// Each piece of code is a stop of the Tab key, and its copy button becomes one while the
// code has the focus. The theme takes code that does not scroll out of the order, 300 ms
// after each change of the width.
const reachCode = () =>
  setTimeout(() => {
    for (const button of document.querySelectorAll("button.copybtn"))
      button.parentElement.querySelector("pre").tabIndex = 0;
  }, 400);
window.addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.copybtn")) {
    const code = button.parentElement;
    button.tabIndex = -1;
    code.addEventListener("focusin", () => (button.tabIndex = 0));
    code.addEventListener("focusout", (event) => {
      if (!code.contains(event.relatedTarget)) button.tabIndex = -1;
    });
  }
  reachCode();
});
window.addEventListener("resize", reachCode);
