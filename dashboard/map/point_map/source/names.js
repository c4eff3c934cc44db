// Which points are named: the best known of those that are seen, the more the closer.

const CELL = [110, 26]; // pixels that at most one of them is in
const MOST = 60;

export function nameable(map) {
  const view = map.camera.view(map.size());
  const most = Math.min(MOST, Math.round(10 + 12 * Math.max(0, Math.log2(view.zoom))));
  const cells = new Set();
  const rows = [];
  for (let row = 0; row < map.n && rows.length < most; row++) {
    const [x, y] = view.pixel([map.x[row], map.y[row]]);
    if (x < 0 || y < 0 || x > view.width || y > view.height || map.isHidden(row)) continue;
    const cell = `${Math.floor(x / CELL[0])},${Math.floor(y / CELL[1])}`;
    if (!cells.has(cell)) rows.push(row);
    cells.add(cell);
  }
  return rows;
}
