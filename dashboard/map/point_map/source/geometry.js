// Plane geometry on the points, in the coordinates of the buffer; no drawing here.

/**
 * The rows of the points inside a polygon, by the even-odd rule. The server counts again with the
 * same sums in the same order (dashboard/map/placement.py, `inside`), so that both find the same points.
 */
export function rowsInside(polygon, x, y, hidden) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (const [px, py] of polygon) {
    left = Math.min(left, px);
    right = Math.max(right, px);
    low = Math.min(low, py);
    high = Math.max(high, py);
  }
  const crossed = bands(polygon);
  const rows = [];
  for (let i = 0; i < x.length; i++) {
    if (x[i] < left || x[i] > right || y[i] < low || y[i] > high || hidden(i)) continue;
    if (isInside(crossed(y[i]), x[i], y[i])) rows.push(i);
  }
  return rows;
}

/** Which edges a ray to the right of a height may cross: the same few between two corners' heights. */
function bands(polygon) {
  const heights = Float64Array.from(new Set(polygon.map(([, y]) => y))).sort();
  const edges = polygon.map((corner, i) => [...corner, ...polygon.at(i - 1)]);
  const above = (height) => edges.filter(([, yi, , yj]) => yi >= height !== yj >= height);
  const lists = [...Array.from(heights, above), []];
  return (y) => {
    let [from, to] = [0, heights.length]; // the first height above y lies between them
    while (from < to) {
      const middle = (from + to) >> 1;
      if (heights[middle] > y) to = middle;
      else from = middle + 1;
    }
    return lists[from];
  };
}

function isInside(edges, x, y) {
  let inside = false;
  for (let i = 0; i < edges.length; i++) {
    const [xi, yi, xj, yj] = edges[i];
    if (x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
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
