// The index by which regl-scatterplot finds what is under the pointer: KDBush 4's, with leaves so
// large that a million points take a moment. A search looks through a leaf or two.

const LEAF = 65_535; // points, at most; what fits the field

/** The bytes that KDBush reads: a head, the rows, their places; halves by x and y in turn. */
export function bush(x, y) {
  const n = x.length;
  const Rows = n < 65_536 ? Uint16Array : Uint32Array;
  const wide = n * Rows.BYTES_PER_ELEMENT;
  const from = 8 + Math.ceil(wide / 8) * 8;
  const bytes = new ArrayBuffer(from + 8 * n);
  new Uint8Array(bytes, 0, 2).set([0xdb, (1 << 4) + 7]); // version 1, float32
  new Uint16Array(bytes, 2, 1)[0] = LEAF;
  new Uint32Array(bytes, 4, 1)[0] = n;
  const rows = new Rows(bytes, 8, n);
  const places = new Float32Array(bytes, from, 2 * n);
  for (let row = 0; row < n; row++) {
    rows[row] = row;
    places[2 * row] = x[row];
    places[2 * row + 1] = y[row];
  }
  split(rows, places, 0, n - 1, 0);
  return bytes;
}

function split(rows, places, left, right, axis) {
  if (right - left <= LEAF) return;
  const middle = (left + right) >> 1;
  select(rows, places, middle, left, right, axis);
  split(rows, places, left, middle - 1, 1 - axis);
  split(rows, places, middle + 1, right, 1 - axis);
}

/** Hoare's: nothing left of k is greater than what is at k, nothing right of it is less. */
function select(rows, places, k, left, right, axis) {
  while (left < right) {
    const pivot = places[2 * k + axis];
    let [i, j] = [left, right];
    while (i <= j) {
      while (places[2 * i + axis] < pivot) i++;
      while (places[2 * j + axis] > pivot) j--;
      if (i <= j) swap(rows, places, i++, j--);
    }
    if (k <= j) right = j;
    else if (k >= i) left = i;
    else return;
  }
}

function swap(rows, places, i, j) {
  const [row, x, y] = [rows[i], places[2 * i], places[2 * i + 1]];
  rows[i] = rows[j];
  places[2 * i] = places[2 * j];
  places[2 * i + 1] = places[2 * j + 1];
  rows[j] = row;
  places[2 * j] = x;
  places[2 * j + 1] = y;
}
