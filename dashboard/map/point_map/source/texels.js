// The texture in which regl-scatterplot keeps the points, a texel each: x, y, colour, size. It fills
// it once; for other colours it would take all points anew, so they are written into it here.
import { bush } from "./bush.js";

export class Texels {
  constructor(plot) {
    this.plot = plot;
  }

  /** Draws these points for the first time. */
  draw(points) {
    const regl = this.plot.get("regl");
    const make = regl.texture;
    regl.texture = (kept) => { // the next one it makes is the one of the points
      regl.texture = make;
      this.kept = kept;
      this.fill(points);
      return (this.texture = make(kept));
    };
    const { x, y } = points;
    return this.plot.draw(Array.from(x, (_, row) => [x[row], y[row]]), {
      zDataType: "categorical",
      wDataType: "categorical",
      spatialIndex: bush(x, y),
    });
  }

  /** The same points in other colours or sizes, when they are next drawn. */
  recolour(points) {
    this.fill(points);
    this.texture(this.kept);
    return new Promise((drawn) => this.plot.subscribe("draw", drawn, 1));
  }

  fill({ n, values, sizes }) {
    const { data } = this.kept;
    for (let row = 0; row < n; row++) {
      data[4 * row + 2] = values[row];
      data[4 * row + 3] = sizes ? sizes[row] : 0;
    }
  }
}
