// Where the map is looked at from: a plane that is moved and zoomed, never turned.

export const CLOSER = 1.4; // a step of zoom
const ROOM = 1.05; // around all points
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Camera {
  constructor(plot) {
    this.plot = plot;
  }

  /** Turns coordinates into pixels of a stage and back, as regl-scatterplot does. */
  view({ width, height }) {
    const matrix = this.plot.get("cameraView");
    const narrow = height / width;
    const [sx, sy, tx, ty] = [matrix[0] * narrow, matrix[5], matrix[12] * narrow, matrix[13]];
    return {
      width,
      height,
      zoom: matrix[5],
      pixel: ([x, y]) => [((sx * x + tx + 1) / 2) * width, ((1 - sy * y - ty) / 2) * height],
      point: ([px, py]) => [((2 * px) / width - 1 - tx) / sx, (1 - (2 * py) / height - ty) / sy],
    };
  }

  look(target, distance, { slowly = false } = {}) {
    const transition = slowly && !CALM.matches;
    return this.plot.zoomToLocation(target, distance, { transition, transitionDuration: 600 });
  }

  target() {
    return Array.from(this.plot.get("cameraTarget"));
  }

  /** Half of the height that is seen. */
  distance() {
    const distance = this.plot.get("cameraDistance");
    return typeof distance === "number" ? distance : distance[0];
  }

  /** The middle of all points, and the distance from which they are seen. */
  whole(x, y) {
    const { clientWidth, clientHeight } = this.plot.get("canvas").parentElement;
    let [left, right, low, high] = [x[0], x[0], y[0], y[0]];
    for (let row = 1; row < x.length; row++) {
      left = Math.min(left, x[row]);
      right = Math.max(right, x[row]);
      low = Math.min(low, y[row]);
      high = Math.max(high, y[row]);
    }
    const reach = Math.max(high - low, ((right - left) * clientHeight) / (clientWidth || 1)) / 2;
    return [[(left + right) / 2, (low + high) / 2], ROOM * reach || 1];
  }
}
