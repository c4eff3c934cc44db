// The canvas above the points: names, the ring around the chosen point, the shape being drawn.

const GAP = 6; // pixels between a point and its name
const HIGH = 16; // pixels of a line of names
const LONGEST = 30; // characters of a name

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.names = []; // {row, text}
    this.regions = []; // {x, y, text}: clusters by what they have in common
    this.trail = []; // rows joined by a line that grows clearer
    this.marks = []; // rows that are numbered
    this.ring = -1;
    this.hint = -1; // what is pointed at on the other map
    this.cross = false; // the middle, for those who steer by keys
    this.shape = null; // corners in pixels, while it is drawn
    this.chosen = null; // corners in the points' coordinates
  }

  /** Draws everything anew; `view` turns coordinates into pixels. */
  draw(view, look, points) {
    const { canvas, context } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(view.width * scale), Math.round(view.height * scale)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    this.paint(context, view, look, points);
  }

  /** The same on any context: the picture that is saved is drawn by it too. */
  paint(context, view, look, points) {
    if (this.chosen) outline(context, this.chosen.map(view.pixel), look, true);
    if (this.shape) outline(context, this.shape, look, false);
    const pixel = (row) => view.pixel([points.x[row], points.y[row]]);
    way(context, this.trail.map(pixel), look);
    this.write(context, view, look, points);
    for (let place = this.marks.length; place > 0; place--) {
      numbered(context, pixel(this.marks[place - 1]), place, look); // the first on top
    }
    if (this.hint >= 0 && this.hint < points.n) {
      circle(context, pixel(this.hint), 9, look.background, 5);
      circle(context, pixel(this.hint), 9, look.text, 2);
    }
    if (this.ring >= 0 && this.ring < points.n) {
      const at = view.pixel([points.x[this.ring], points.y[this.ring]]);
      circle(context, at, 9, look.background, 5);
      circle(context, at, 9, look.accent, 2.5);
    }
    if (this.cross) cross(context, [view.width / 2, view.height / 2], look.text);
  }

  /** The chosen point's name first, then those of places, then as many points' as there is room. */
  write(context, view, look, points) {
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = new Taken(view);
    for (const row of this.marks) {
      const [x, y] = view.pixel([points.x[row], points.y[row]]);
      taken.take(x - 9, y - 9, 18, 18);
    }
    const name = ({ row, text }) => this.writeName(context, view, look, points, taken, row, text);
    this.names.filter(({ row }) => row === this.ring).slice(0, 1).forEach(name);
    if (view.zoom < 4) this.regions.forEach((region) => this.writeRegion(context, view, look, taken, region));
    this.names.filter(({ row }) => row !== this.ring).forEach(name);
  }

  writeName(context, view, look, points, taken, row, text) {
    const [x, y] = view.pixel([points.x[row], points.y[row]]);
    context.textAlign = "left";
    context.font = `${row === this.ring ? 600 : 400} 12px ${look.font}`;
    const said = shortened(text);
    const gap = row === this.ring ? GAP + 8 : GAP;
    const wide = context.measureText(said).width;
    const left = x + gap + wide > view.width ? x - gap - wide : x + gap;
    if (taken.take(left, y - HIGH / 2, wide, HIGH)) haloed(context, said, left, y, look);
  }

  writeRegion(context, view, look, taken, region) {
    const [x, y] = view.pixel([region.x, region.y]);
    const said = shortened(region.text);
    context.textAlign = "center";
    context.font = `700 13px ${look.font}`;
    const wide = context.measureText(said).width;
    if (taken.take(x - wide / 2, y - 9, wide, 18)) haloed(context, said, x, y, look);
  }
}

function haloed(context, text, x, y, look) {
  context.strokeStyle = look.background;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = look.text;
  context.fillText(text, x, y);
}

/** Where something is written already. */
class Taken {
  constructor(view) {
    this.view = view;
    this.boxes = [];
  }

  take(left, top, wide, high) {
    const { width, height } = this.view;
    if (left < 0 || top < 0 || left + wide > width || top + high > height) return false;
    const free = this.boxes.every(
      ([l, t, w, h]) => left > l + w || left + wide < l || top > t + h || top + high < t,
    );
    if (free) this.boxes.push([left - 4, top, wide + 8, high]);
    return free;
  }
}

export function shortened(text) {
  const letters = [...text];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : text;
}

function circle(context, [x, y], radius, colour, width) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** From place to place, the latest steps the clearest. */
function way(context, places, look) {
  places.forEach(([x, y], i) => {
    context.globalAlpha = 0.15 + (0.75 * (i + 1)) / places.length;
    if (i) {
      context.beginPath();
      context.moveTo(...places[i - 1]);
      context.lineTo(x, y);
      context.strokeStyle = look.text;
      context.lineWidth = 1.25;
      context.stroke();
    }
    circle(context, [x, y], 4, look.text, 1.5);
  });
  context.globalAlpha = 1;
}

function numbered(context, [x, y], number, look) {
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  context.fillStyle = look.text;
  context.fill();
  context.fillStyle = look.background;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `600 11px ${look.font}`;
  context.fillText(number, x, y + 0.5);
}

function cross(context, [x, y], colour) {
  context.beginPath();
  context.moveTo(x - 8, y);
  context.lineTo(x + 8, y);
  context.moveTo(x, y - 8);
  context.lineTo(x, y + 8);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.stroke();
}

function outline(context, corners, look, closed) {
  if (corners.length < 2) return;
  context.beginPath();
  corners.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
  context.strokeStyle = look.accent;
  context.lineWidth = 1.5;
  context.setLineDash([5, 4]);
  context.stroke();
  context.setLineDash([]);
}
