// A lasso or a box drawn by the pointer.
import { thinned } from "./geometry.js";

const MOST_CORNERS = 200;

/** In lasso and box mode the canvas above takes the pointer, and the points keep the wheel. */
export function drawShapes(map) {
  const { above, overlay } = map;
  let from = null;
  const at = ({ clientX, clientY }) => {
    const { left, top } = above.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  above.addEventListener("pointerdown", (event) => {
    if (event.button || !map.n) return;
    above.setPointerCapture(event.pointerId);
    map.stage.focus({ preventScroll: true });
    from = at(event);
    overlay.shape = [from];
  });
  above.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    overlay.shape = map.mode === "box" ? corners(from, to) : [...overlay.shape, to];
    map.overlayLater();
  });
  const end = (event) => {
    const shape = overlay.shape;
    from = overlay.shape = null;
    if (event.type === "pointerup" && shape?.length > 2) map.select(thinned(shape, MOST_CORNERS));
    map.overlayLater();
  };
  above.addEventListener("pointerup", end);
  above.addEventListener("pointercancel", end);
  above.addEventListener("wheel", (event) => {
    event.preventDefault();
    map.canvas.dispatchEvent(new WheelEvent(event.type, event));
  });
}

function corners([a, b], [c, d]) {
  return [[a, b], [c, b], [c, d], [a, d]];
}
