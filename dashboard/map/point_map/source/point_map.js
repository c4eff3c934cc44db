// One map: what is shown, and what a person does with it. Nothing here asks the server to pan, zoom,
// recolour what is known, hover or hide; it hears of clicks and of selections.
import createScatterplot from "regl-scatterplot";
import { bytes, Cards, points } from "./buffers.js";
import { Camera, CLOSER } from "./camera.js";
import { reach, rowsInside } from "./geometry.js";
import { steer } from "./keys.js";
import { legend } from "./legend.js";
import { join } from "./link.js";
import { nameable } from "./names.js";
import { Overlay } from "./overlay.js";
import { savePicture } from "./picture.js";
import { drawShapes } from "./shapes.js";
import { Texels } from "./texels.js";
import { Toolbar } from "./toolbar.js";

const MOST_ROWS = 5000; // sent with a selection; the server finds the rest by the polygon

export class PointMap {
  constructor(root) {
    this.root = root;
    this.data = null;
    this.n = 0;
    this.x = this.y = new Float32Array(0);
    this.values = null;
    this.sizes = null;
    this.hidden = new Set();
    this.mode = "pan";
    this.withNames = true;
    this.selected = null;
    this.rows = []; // of what is selected
    this.queue = Promise.resolve();
    this.build();
  }

  build() {
    const make = (kind, name, into) => {
      const made = into.appendChild(document.createElement(kind));
      made.className = name;
      return made;
    };
    const bar = make("div", "bar-of-tools", this.root);
    this.stage = make("div", "stage", this.root);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.canvas = make("canvas", "points", this.stage);
    this.canvas.setAttribute("role", "img");
    this.above = make("canvas", "above", this.stage);
    this.above.setAttribute("aria-hidden", "true");
    this.card = make("div", "card", this.stage);
    this.card.hidden = true;
    this.note = make("div", "note", this.stage);
    this.note.setAttribute("role", "status");
    this.legendBox = make("div", "legend", this.root);
    this.overlay = new Overlay(this.above);
    this.tools = new Toolbar(bar, {
      mode: (mode) => this.setMode(mode),
      in: () => this.zoom(1 / CLOSER),
      out: () => this.zoom(CLOSER),
      fit: () => this.fit(),
      names: () => {
        this.withNames = !this.withNames;
        this.show();
        this.nameLater();
      },
      clear: () => this.select(null),
      picture: () => this.plot && this.n && savePicture(this),
      table: () => this.toTable(),
    });
    this.stage.addEventListener("keydown", (event) => steer(this, event));
    this.stage.addEventListener("blur", () => this.setCross(false));
    drawShapes(this);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  /** Takes over what the server says; a later call overtakes an earlier one that still fetches. */
  update(data) {
    this.data = data;
    this.stage.style.height = `${data.height}px`;
    this.stage.setAttribute("aria-label", data.alt);
    this.canvas.setAttribute("aria-label", data.alt);
    this.stage.setAttribute("aria-description", data.texts.keys);
    if (this.cards?.url !== data.cards) {
      this.cards = new Cards(data.cards);
      this.overlay.names = [];
    }
    join(this, data.link);
    this.show();
    this.queue = this.queue
      .then(() => this.data === data && this.load(data))
      .catch((error) => this.fail(error));
  }

  fail(error) {
    if (this.gone) return;
    this.note.textContent = this.plot ? this.data.texts.failed : this.data.texts.no_webgl;
    this.root.dataset.failed = error.message;
  }

  async load(data) {
    if (this.gone) return;
    const moved = this.loaded?.points !== data.points;
    const coloured = moved || this.loaded.values !== data.values || this.loaded.sizes !== data.sizes;
    if (moved) {
      this.note.textContent = data.texts.loading;
      Object.assign(this.overlay, { names: [], regions: [], trail: [], marks: [], ring: -1, hint: -1 });
    }
    const legendChanged = this.loaded?.values !== data.values;
    const coming = Promise.all([ // while the plot is made
      moved ? points(data.points) : { n: this.n, x: this.x, y: this.y },
      legendChanged ? bytes(data.values) : this.values,
      this.loaded?.sizes === data.sizes ? this.sizes : data.sizes ? bytes(data.sizes) : null,
    ]);
    coming.catch(() => {}); // it is told where it is waited for
    this.theme();
    const plot = (this.plot ??= this.makePlot());
    this.camera ??= new Camera(plot);
    this.texels ??= new Texels(plot);
    if (coloured) {
      const [found, values, sizes] = await coming;
      if (this.gone) return;
      Object.assign(this, found, { values, sizes });
      if (legendChanged) this.hidden = new Set();
    }
    const painted = this.paint(plot);
    if (coloured) {
      if (moved) {
        await painted; // else the points would be drawn twice
        const fitted = this.fit();
        await Promise.all([this.texels.draw(this), fitted]);
      } else await this.texels.recolour(this);
      if (this.gone) return;
      await this.filter();
    }
    const before = this.loaded;
    this.loaded = data;
    const there = (row) => row >= 0 && row < this.n;
    this.overlay.trail = (data.trail ?? []).filter(there);
    this.overlay.marks = (data.marks ?? []).filter(there);
    if (moved && before) this.select(null, { tell: false });
    else this.mark();
    this.note.textContent = "";
    this.ringAt(data.ring ?? -1, { fly: data.fly && data.fly !== before?.fly });
    this.show();
    this.nameLater();
    const { trail, marks } = this.overlay;
    Object.assign(this.root.dataset, { trail: trail.length, marks: marks.length });
    Object.assign(this.root.dataset, { n: this.n, values: data.values, failed: "" });
    await this.link?.settle(moved);
  }

  /** Whether it shows what the server said last. */
  atRest() {
    return this.loaded !== undefined && this.loaded === this.data;
  }

  makePlot() {
    const plot = createScatterplot({
      canvas: this.canvas,
      ...this.size(),
      colorBy: "valueA",
      opacityBy: "density",
      opacityByDensityFill: 0.2,
      opacityInactiveMax: 0.25,
      pointOutlineWidth: 0,
      pointSizeSelected: 1,
      lassoInitiator: false,
      deselectOnDblClick: false,
      deselectOnEscape: false,
      actionKeyMap: {},
    });
    plot.subscribe("view", () => this.moved());
    plot.subscribe("pointover", (row) => this.hover(row));
    plot.subscribe("pointout", () => this.hover(-1));
    plot.subscribe("select", ({ points: rows }) => this.click(rows.at(-1)));
    this.canvas.style.cssText = ""; // its size is the stage's
    return plot;
  }

  // ---- how it looks --------------------------------------------------------------------------

  /** The colours of the page, and whether its ground is dark. */
  theme() {
    const style = getComputedStyle(this.root);
    const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    const background = read("--st-background-color", "#ffffff");
    this.colours = {
      background,
      text: read("--st-text-color", "#0d131b"),
      accent: read("--st-link-color", "#0b5cad"),
      font: read("--st-font", "sans-serif"),
    };
    this.dark = isDark(background);
  }

  get palette() {
    return this.data.palette[this.dark ? "dark" : "light"];
  }

  /** Resolves when it has been asked to draw itself so. */
  paint(plot) {
    const size = this.n > 200_000 ? 2 : this.n > 20_000 ? 3 : 4;
    this.overlayLater();
    return plot.set({
      backgroundColor: this.colours.background,
      pointColor: this.palette,
      pointColorActive: this.palette,
      pointColorHover: this.colours.accent,
      sizeBy: this.sizes ? "valueB" : null,
      pointSize: this.sizes ? Array.from({ length: 16 }, (_, i) => size * (0.6 + i / 10)) : size,
    });
  }

  show() {
    const { data, selected } = this;
    if (!data) return;
    const { texts } = data;
    this.tools.show({
      texts,
      mode: this.mode,
      names: this.withNames,
      selected,
      said: selected ? texts.selected.replace("{n}", selected.count.toLocaleString()) : "",
    });
    this.theme();
    legend(this.legendBox, data, this.palette, this.hidden, (value) => this.toggle(value));
    this.stage.dataset.mode = this.mode;
  }

  size() {
    return { width: this.stage.clientWidth || 300, height: this.stage.clientHeight || 300 };
  }

  resize() {
    const size = this.size();
    this.plot?.set(size);
    this.overlayLater();
  }

  moved() {
    this.card.hidden = true;
    this.overlayLater();
    this.nameLater();
  }

  /** Moves the map; it is drawn, and named, anew. */
  async look(target, distance, how) {
    if (this.plot && this.n) {
      await this.camera.look(target, distance, how);
      this.moved();
    }
  }

  fit() {
    return this.look(...this.camera.whole(this.x, this.y));
  }

  zoom(factor) {
    return this.plot && this.look(this.camera.target(), this.camera.distance() * factor);
  }

  overlayLater() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.plot && !this.gone) this.overlay.draw(this.camera.view(this.size()), this.colours, this);
    });
  }

  setCross(cross) {
    if (this.overlay.cross === cross) return;
    this.overlay.cross = cross;
    this.overlayLater();
  }

  // ---- points --------------------------------------------------------------------------------

  isHidden(row) {
    return this.hidden.has(this.values[row]);
  }

  toggle(value) {
    if (!this.hidden.delete(value)) this.hidden.add(value);
    this.refilter();
    this.link?.toggled(this);
  }

  refilter() {
    this.show();
    this.queue = this.queue.then(() => this.filter()).catch((error) => this.fail(error));
  }

  async filter() {
    if (this.gone || !this.plot) return;
    if (this.hidden.size) {
      const rows = [];
      for (let row = 0; row < this.n; row++) if (!this.isHidden(row)) rows.push(row);
      await this.plot.filter(rows, { preventEvent: true });
    } else if (this.plot.get("isPointsFiltered")) {
      await this.plot.unfilter({ preventEvent: true });
    }
    this.root.dataset.hidden = [...this.hidden].join(",");
    this.nameLater();
  }

  async hover(row) {
    this.hovered = row;
    this.link?.hovered(this, row);
    if (row < 0 || (this.mode !== "pan" && !this.overlay.cross)) {
      this.card.hidden = true;
      return;
    }
    const [card] = await this.cards.of([row]).catch(() => []);
    if (this.hovered !== row || !card || this.gone) return;
    this.card.replaceChildren();
    for (const line of [card.name, this.valueText(row), ...card.lines].filter(Boolean)) {
      this.card.appendChild(document.createElement("div")).textContent = line;
    }
    const view = this.camera.view(this.size());
    const [x, y] = view.pixel([this.x[row], this.y[row]]);
    this.card.hidden = false;
    const { offsetWidth: wide, offsetHeight: high } = this.card;
    this.card.style.left = `${x + 14 + wide > view.width ? Math.max(0, x - 14 - wide) : x + 14}px`;
    this.card.style.top = `${Math.min(Math.max(0, y - high / 2), view.height - high)}px`;
  }

  valueText(row) {
    const entry = this.data.legend.entries?.find((one) => one.value === this.values[row]);
    return entry ? `${this.data.title}: ${entry.text}` : "";
  }

  /** regl-scatterplot selects what is clicked; here it gets a ring, and the selection stays. */
  click(row) {
    this.mark();
    if (this.mode === "pan") this.pressed(row);
  }

  pressed(row) {
    if (row === undefined || row < 0) return;
    this.ringAt(row, { fly: false });
    this.link?.pressed(this, row);
    this.tell.clicked({ row });
  }

  ringAt(row, { fly }) {
    this.overlay.ring = row;
    this.root.dataset.ring = row;
    if (fly && row >= 0) {
      const place = [this.x[row], this.y[row]];
      const side = Math.max(0.02, reach(this.x, this.y, place, 120));
      this.look(place, Math.min(side, 1), { slowly: true });
    }
    this.overlayLater();
    this.nameLater();
  }

  // ---- selecting -----------------------------------------------------------------------------

  setMode(mode) {
    this.mode = mode;
    this.card.hidden = true;
    this.show();
    this.link?.steered(this);
  }

  /** Selects what a shape on the screen surrounds; null selects nothing. */
  select(shape, { tell = true } = {}) {
    if (!this.plot) return;
    const view = this.camera.view(this.size());
    const polygon = shape?.map(view.point) ?? null;
    const rows = polygon ? rowsInside(polygon, this.x, this.y, (row) => this.isHidden(row)) : [];
    const had = this.selected;
    const chosen = rows.length
      ? {
          points: this.data.points,
          values: this.data.values,
          polygon,
          count: rows.length,
          rows: rows.length <= MOST_ROWS ? rows : null,
          hidden: [...this.hidden],
        }
      : null;
    this.showSelected(rows, chosen);
    this.link?.selected(this, { tell });
    if (tell && (had || chosen)) (this.link?.teller(this) ?? this).tell.selected(chosen);
  }

  /** Rows that are selected here, or on the other map if there is no polygon. */
  showSelected(rows, chosen = rows.length ? { count: rows.length } : null) {
    this.overlay.chosen = chosen?.polygon ?? null;
    this.rows = rows;
    this.selected = chosen;
    this.mark();
    this.show();
    this.overlayLater();
    this.root.dataset.selected = rows.length;
  }

  mark() {
    if (!this.plot) return;
    if (this.rows.length) this.plot.select(this.rows, { preventEvent: true });
    else this.plot.deselect({ preventEvent: true });
  }

  // ---- names ---------------------------------------------------------------------------------

  nameLater() {
    clearTimeout(this.naming);
    this.naming = setTimeout(() => this.name().catch(() => {}), 120);
  }

  /** The names of as many points as there is room for; the rows come the best known first. */
  async name() {
    if (this.gone || !this.plot || !this.n) return;
    const rows = this.withNames ? nameable(this) : [];
    rows.unshift(...this.overlay.marks);
    if (this.overlay.ring >= 0) rows.unshift(this.overlay.ring);
    const cards = await this.cards.of(rows);
    if (this.gone) return;
    this.overlay.regions = this.withNames ? (this.data.regions ?? []) : [];
    this.overlay.names = rows
      .map((row, i) => ({ row, text: cards[i]?.name }))
      .filter(({ text }) => text);
    this.overlayLater();
  }

  /** To the table that says the same, for those who do not see the map. */
  toTable() {
    const table = document.querySelector(`.st-key-${this.data.twin}`);
    table?.scrollIntoView({ block: "center" });
    table?.querySelector("canvas, [tabindex]")?.focus({ preventScroll: true });
  }

  destroy() {
    this.gone = true;
    this.link?.leave(this);
    clearTimeout(this.naming);
    cancelAnimationFrame(this.frame);
    this.resized.disconnect();
    this.plot?.destroy();
  }
}

function isDark(colour) {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}
