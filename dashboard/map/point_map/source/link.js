// Two maps of one page that show the same items: what is pointed at, chosen, selected or hidden on
// one is so on the other, without the server. It hears of a selection through the first map alone,
// whichever of both it was made on, so that there is never more than one.
import { bytes } from "./buffers.js";

const links = new Map(); // by name

/** Takes a map into the link that it is told of, {name, rows, of}, or out of any. */
export function join(map, told) {
  if (map.link && map.link.name !== told?.name) map.link.leave(map);
  if (!told) return;
  if (!links.has(told.name)) links.set(told.name, new Link(told.name));
  map.link = links.get(told.name);
  map.link[told.rows ? "second" : "first"] = map;
}

class Link {
  constructor(name) {
    this.name = name;
    this.first = this.second = this.source = null; // the source is where the selection was made
    this.forget();
  }

  forget() {
    this.url = null;
    this.toFirst = this.toSecond = new Int32Array(0); // rows, -1 where there is no such item
  }

  other(map) {
    return map === this.first ? this.second : this.first;
  }

  across(map, row) {
    return (row < 0 ? -1 : (map === this.first ? this.toSecond : this.toFirst)[row]) ?? -1;
  }

  /** Both lie still: their rows are matched, and the second shows what the first one does. */
  async settle(moved) {
    const { first, second } = this;
    const still = () =>
      first === this.first && second === this.second && first?.atRest() && second?.atRest();
    if (!still() || second.loaded.link.of !== first.loaded.points) return;
    const { rows: url } = second.loaded.link;
    const fresh = url !== this.url;
    if (fresh) {
      const rows = new Int32Array((await bytes(url)).buffer); // int32 of the second: rows of the first
      if (!still() || second.loaded.link.rows !== url) return;
      const back = new Int32Array(first.n).fill(-1);
      rows.forEach((row, own) => row >= 0 && (back[row] = own));
      Object.assign(this, { url, toFirst: rows, toSecond: back });
      second.root.dataset.linked = url;
    }
    if (String([...first.hidden]) !== String([...second.hidden])) this.toggled(first);
    this.steered(first);
    if (first.selected) this.source ??= first;
    if (this.source && (fresh || moved)) this.selected(this.source, { tell: false });
  }

  hovered(map, row) {
    const other = this.other(map);
    if (!other) return;
    other.overlay.hint = this.across(map, row);
    other.root.dataset.hint = other.overlay.hint;
    other.overlayLater();
  }

  pressed(map, row) {
    this.other(map)?.ringAt(this.across(map, row), { fly: false });
  }

  toggled(map) {
    const other = this.other(map);
    if (!other) return;
    other.hidden = new Set(map.hidden);
    other.refilter();
  }

  steered(map) {
    const other = this.other(map);
    if (other && other.mode !== map.mode) other.setMode(map.mode);
  }

  /** A selection, or its end; one that ends by itself on the map that only shows it ends there. */
  selected(map, { tell }) {
    if (!tell && map !== this.source) return;
    const own = map.selected !== null;
    this.source = own ? map : null;
    const other = this.other(map);
    if (!other || (!own && !other.selected)) return;
    other.showSelected(map.rows.map((row) => this.across(map, row)).filter((row) => row >= 0));
  }

  /** The map whose word on selections counts. */
  teller(map) {
    return this.first ?? map;
  }

  leave(map) {
    const other = this.other(map);
    const [was, alone] = [this.source === map, map === this.first];
    const shows = this.source !== null && !was; // what was selected on the other one
    if (was) this.source = null;
    this[map === this.first ? "first" : "second"] = null;
    map.link = null;
    this.forget();
    if (shows && alone) map.select(null, { tell: true });
    if (!other) {
      links.delete(this.name);
      return;
    }
    other.overlay.hint = -1;
    if (was) other.select(null, { tell: other === this.first });
    other.overlayLater();
  }
}
