// Plane geometry on the points, in the coordinates of the buffer; no drawing here.

/**
 * The rows of the points inside a polygon, by the even-odd rule. The server counts again with the
 * same sums in the same order (dashboard/maps.py, `inside`), so that both find the same points.
 */
export function rowsInside(polygon, x, y, hidden) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (const [px, py] of polygon) {
    left = Math.min(left, px);
    right = Math.max(right, px);
    low = Math.min(low, py);
    high = Math.max(high, py);
  }
  const rows = [];
  for (let i = 0; i < x.length; i++) {
    if (x[i] < left || x[i] > right || y[i] < low || y[i] > high || hidden(i)) continue;
    if (isInside(polygon, x[i], y[i])) rows.push(i);
  }
  return rows;
}

function isInside(polygon, x, y) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** The row of the point nearest to a place, within a distance; -1 if there is none. */
export function nearest(x, y, [px, py], most, hidden) {
  let best = -1, least = most * most;
  for (let i = 0; i < x.length; i++) {
    const distance = (x[i] - px) ** 2 + (y[i] - py) ** 2;
    if (distance <= least && !hidden(i)) {
      best = i;
      least = distance;
    }
  }
  return best;
}

/** Half the side of a square around a place that has about so many points in it, or all of them. */
export function reach(x, y, [px, py], enough) {
  for (let side = 0.01; side < 2; side *= 2) {
    let n = 0;
    for (let i = 0; i < x.length && n < enough; i++) {
      if (Math.abs(x[i] - px) < side && Math.abs(y[i] - py) < side) n++;
    }
    if (n >= enough) return side;
  }
  return 2;
}

/** Half as many corners as often as it takes until there are at most so many. */
export function thinned(corners, most) {
  let kept = corners;
  while (kept.length > most) kept = kept.filter((_, i) => i % 2 === 0);
  return kept;
}
