// The map as a PNG: points, what is drawn above them, and the legend below.

const SCALE = 2; // pixels for each on the screen
const KEY = 40; // pixels for the legend

export async function savePicture(map) {
  const image = await map.plot.export({ scale: SCALE });
  const { width, height } = map.size();
  const canvas = document.createElement("canvas");
  canvas.width = width * SCALE;
  canvas.height = (height + KEY) * SCALE;
  const context = canvas.getContext("2d");
  const bitmap = await createImageBitmap(image);
  context.fillStyle = map.colours.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, width * SCALE, height * SCALE);
  context.scale(SCALE, SCALE);
  map.overlay.paint(context, map.camera.view(map.size()), map.colours, map);
  key(context, map.data, map.palette, map.colours, map.hidden, width, height + KEY / 2);
  const link = document.createElement("a");
  link.download = "map.png";
  link.href = canvas.toDataURL("image/png");
  link.click();
}

/** The legend below a saved picture, as much of it as there is room for. */
function key(context, { legend: what, title }, palette, look, hidden, width, y) {
  const shown = (what.entries ?? []).filter(({ value }) => !hidden.has(value));
  const parts = what.kind !== "sequence" ? shown.map(({ text, value }) => [text, palette[value]]) : [
    [what.low, palette[0]],
    [what.high, palette[palette.length - 2]],
  ];
  let x = 12;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = look.text;
  context.font = `600 13px ${look.font}`;
  context.fillText(title, x, y);
  x += context.measureText(title).width + 20;
  context.font = `400 13px ${look.font}`;
  for (const [text, colour] of parts) {
    const wide = context.measureText(text).width;
    if (x + 16 + wide > width) return;
    context.beginPath();
    context.arc(x + 5, y, 5, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.fillStyle = look.text;
    context.fillText(text, x + 16, y);
    x += wide + 34;
  }
}
