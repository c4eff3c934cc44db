// The map of points, mounted by dashboard/map/point_map. Streamlit calls the default export
// again whenever the data or the theme change, and what it returns when the map goes. It also calls
// what a call returned that a later one overtook: the map is on the page then, and stays.
import { PointMap } from "./point_map.js";

const live = new WeakMap(); // one map for each mounted root

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  if (!live.has(root)) live.set(root, new PointMap(root));
  const map = live.get(root);
  map.tell = { selected: (v) => setStateValue("selected", v), clicked: (v) => setTriggerValue("clicked", v) };
  map.update(data);
  return () => {
    if (root.isConnected || !live.delete(root)) return;
    map.destroy();
  };
}
