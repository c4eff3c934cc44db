// What the colours mean; a category is hidden and shown again by its button.

/**
 * @param box Where it is drawn.
 * @param legend {kind: "category" or "group", entries: [{text, n, value}]} or {kind: "sequence", low, high, none}
 * @param colours The palette of this ground.
 * @param hidden Set of the values that are not shown.
 * @param toggle Called with a value.
 */
export function legend(box, { legend, title, texts }, colours, hidden, toggle) {
  const focused = box.getRootNode().activeElement?.dataset?.value;
  box.replaceChildren();
  const name = box.appendChild(document.createElement("span"));
  name.className = "title";
  name.textContent = title;
  if (legend.kind === "sequence") {
    ramp(box, legend, colours);
    return;
  }
  for (const { text, n, value } of legend.entries) {
    const button = box.appendChild(document.createElement("button"));
    button.type = "button";
    button.dataset.value = value;
    button.title = texts.toggle;
    button.setAttribute("aria-pressed", String(!hidden.has(value)));
    const dot = button.appendChild(document.createElement("span"));
    dot.className = "dot";
    dot.style.background = colours[value];
    button.append(text);
    const count = button.appendChild(document.createElement("span"));
    count.className = "count";
    count.textContent = n;
    button.onclick = () => toggle(value);
    if (focused === String(value)) button.focus();
  }
}

function ramp(box, { low, high, none }, colours) {
  const line = box.appendChild(document.createElement("span"));
  line.className = "ramp";
  const stops = [0, 0.25, 0.5, 0.75, 1].map((part) => colours[Math.round(part * (colours.length - 2))]);
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  line.append(low, bar, high);
  if (none) {
    const dot = document.createElement("span");
    dot.className = "dot";
    dot.style.background = colours[colours.length - 1];
    line.append(dot, none);
  }
}
