// The buttons above the map. Drawn by hand so that no icon font has to be fetched.

const ICONS = {
  pan: "M12 2l3 3h-2v6h6V9l3 3-3 3v-2h-6v6h2l-3 3-3-3h2v-6H5v2l-3-3 3-3v2h6V5H9z",
  lasso: "M12 4c-5 0-9 2.6-9 6 0 2 1.4 3.7 3.5 4.8A3 3 0 0 0 8 20.5c0 .8-.4 1.5-1 2h2.4c.4-.6.6-1.3.6-2l-.1-.6A3 3 0 0 0 11.7 16H12c5 0 9-2.6 9-6s-4-6-9-6zm0 10h-.6A3 3 0 0 0 7 13.2C5.7 12.4 5 11.3 5 10c0-2.2 3.1-4 7-4s7 1.8 7 4-3.1 4-7 4z",
  box: "M3 3h4v2H5v2H3zm7 0h4v2h-4zm7 0h4v4h-2V5h-2zM3 10h2v4H3zm16 0h2v4h-2zM3 17h2v2h2v2H3zm7 2h4v2h-4zm9-2h2v4h-4v-2h2z",
  in: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  out: "M5 11h14v2H5z",
  fit: "M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z",
  names: "M4 5h16v3h-2V7h-5v10h2v2H9v-2h2V7H6v1H4z",
  clear: "M6.4 5L12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4L12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z",
  table: "M4 4h16v16H4zm2 4v3h5V8zm7 0v3h5V8zm-7 5v5h5v-5zm7 0v5h5v-5z",
  picture: "M11 4h2v8l3-3 1.4 1.4L12 16l-5.4-5.6L8 9l3 3zM5 18h14v2H5z",
};

/** Buttons by name: three modes of which one holds, and actions. */
export class Toolbar {
  constructor(box, act) {
    this.box = box;
    this.buttons = new Map();
    this.group = this.add("div");
    this.group.setAttribute("role", "radiogroup");
    for (const mode of ["pan", "lasso", "box"]) {
      const button = this.button(this.group, mode, () => act.mode(mode));
      button.setAttribute("role", "radio");
      button.onkeydown = (event) => this.step(event, act);
    }
    const actions = this.add("div");
    for (const name of ["in", "out", "fit", "names", "clear", "picture", "table"]) {
      this.button(actions, name, act[name]);
    }
    this.said = this.add("span"); // what is selected
    this.said.className = "said";
    this.said.setAttribute("role", "status");
  }

  add(kind) {
    return this.box.appendChild(document.createElement(kind));
  }

  button(into, name, press) {
    const button = into.appendChild(document.createElement("button"));
    button.type = "button";
    button.dataset.name = name;
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
    button.onclick = press;
    this.buttons.set(name, button);
    return button;
  }

  /** The arrow keys go from mode to mode, as in any group of radio buttons. */
  step(event, act) {
    const modes = ["pan", "lasso", "box"];
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: 2, ArrowUp: 2 }[event.key];
    if (!way) return;
    event.preventDefault();
    const next = modes[(modes.indexOf(event.currentTarget.dataset.name) + way) % 3];
    act.mode(next);
    this.buttons.get(next).focus();
  }

  show({ texts, mode, names, selected, said }) {
    this.group.setAttribute("aria-label", texts.mode);
    for (const [name, button] of this.buttons) {
      button.title = texts[name];
      button.setAttribute("aria-label", texts[name]);
      if (button.getAttribute("role") === "radio") {
        button.setAttribute("aria-checked", String(name === mode));
        button.tabIndex = name === mode ? 0 : -1;
      }
    }
    this.buttons.get("names").setAttribute("aria-pressed", String(names));
    this.buttons.get("clear").disabled = !selected;
    this.said.textContent = said;
  }
}
