// What is fetched over HTTP: raw bytes, cached by the browser under their hash.

async function get(url) {
  const answer = await fetch(new URL(url, document.baseURI));
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer;
}

/** int32 n | float32 x[n] | float32 y[n]; x and y in [-1, 1]. */
export async function points(url) {
  const bytes = await (await get(url)).arrayBuffer();
  const n = new Int32Array(bytes, 0, 1)[0];
  return { n, x: new Float32Array(bytes, 4, n), y: new Float32Array(bytes, 4 + 4 * n, n) };
}

/** uint8[n]: a colour of the palette, or a size, for each point. */
export async function bytes(url) {
  return new Uint8Array(await (await get(url)).arrayBuffer());
}

/** What is written about single points, fetched when it is wanted and kept. */
export class Cards {
  constructor(url) {
    this.url = url;
    this.known = new Map();
  }

  async of(rows) {
    const asked = [...new Set(rows)].filter((row) => !this.known.has(row)).slice(0, 200);
    if (asked.length) {
      const found = await (await get(`${this.url}?rows=${asked.join(",")}`)).json();
      asked.forEach((row, i) => this.known.set(row, found[i]));
    }
    return rows.map((row) => this.known.get(row));
  }
}
