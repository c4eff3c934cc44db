// The editor of a statement, mounted by dashboard/components/sql/editor. Streamlit calls the default
// export again whenever the data or the theme change, and what it returns when the editor goes. It
// also calls what a call returned that a later one overtook: the editor is on the page then, and
// stays.
import { Editor } from "./codemirror.js";

const live = new WeakMap(); // one editor for each mounted root

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".editor");
  if (!live.has(root)) live.set(root, new Editor(root));
  const editor = live.get(root);
  editor.tell = {
    // with a number, since the same may be written again after another was chosen
    written: (statement) => setStateValue("written", { number: Date.now(), statement }),
    asked: () => setTriggerValue("asked", true),
  };
  editor.update(data);
  return () => {
    if (root.isConnected || !live.delete(root)) return;
    editor.destroy();
  };
}
