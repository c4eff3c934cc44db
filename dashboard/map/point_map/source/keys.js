// The map steered by keys; a cross in the middle shows what Enter would choose.
import { CLOSER } from "./camera.js";
import { nearest } from "./geometry.js";

const STEP = 0.15; // of the view that an arrow key moves by
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ACTS = {
  "+": (map) => map.zoom(1 / CLOSER),
  "=": (map) => map.zoom(1 / CLOSER),
  "-": (map) => map.zoom(CLOSER),
  0: (map) => map.fit(),
  Home: (map) => map.fit(),
  Escape: (map) => map.select(null),
  Enter: (map) => map.pressed(middle(map)),
};

export async function steer(map, event) {
  if (event.target !== map.stage || event.ctrlKey || event.metaKey || event.altKey) return;
  const [way, act] = [WAYS[event.key], ACTS[event.key]];
  if ((!way && !act) || !map.plot) return;
  event.preventDefault();
  event.stopPropagation();
  if (way) {
    const [x, y] = map.camera.target();
    const step = 2 * STEP * map.camera.distance();
    await map.look([x + way[0] * step, y + way[1] * step], map.camera.distance());
  } else await act(map);
  map.setCross(event.key !== "Escape");
  if (event.key !== "Escape" && !map.gone) map.hover(middle(map));
}

/** The point nearest to the middle of what is seen. */
function middle(map) {
  const view = map.camera.view(map.size());
  const place = view.point([view.width / 2, view.height / 2]);
  return nearest(map.x, map.y, place, map.camera.distance(), (row) => map.isHidden(row));
}
