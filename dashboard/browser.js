// Runs before Streamlit's own script, on every page.

// The server lies where this file does: otherwise Streamlit asks below each page's address first.
window.__streamlit = { BACKEND_BASE_URL: new URL("..", document.currentScript.src).href };

// One entry in the history for each click: Streamlit makes one for each value that a page writes
// into its address, and for each that it writes by itself.
let clicked = false;
for (const kind of ["click", "keydown"]) {
  addEventListener(kind, () => (clicked = true), true);
}
const { pushState, replaceState } = History.prototype;
history.pushState = function (...entry) {
  (clicked ? pushState : replaceState).apply(this, entry);
  clicked = false;
};

// The server is told of a step back or forth: then an address means what it says and no more.
addEventListener(
  "popstate",
  (event) => {
    clicked = false;
    if (!event.isTrusted) return;
    const address = new URL(location.href);
    address.searchParams.set("back", "1");
    replaceState.call(history, history.state, "", address);
  },
  true,
);

// A link in a table or a sentence opens a page of the app where the reader is, as the navigation
// does; Streamlit would open another tab.
addEventListener(
  "click",
  (event) => {
    const link = event.target.closest?.("a[target=_blank]");
    const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!link || elsewhere || link.origin !== location.origin || link.download) return;
    event.preventDefault();
    event.stopPropagation();
    pushState.call(history, {}, "", link.href);
    dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  },
  true,
);
