// CodeMirror with the words of DuckDB's SQL, and the tables and columns that there are.
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { SQLDialect, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// What is offered beside names: what questions are made of, not all words that DuckDB reserves.
const DIALECT = SQLDialect.define({
  keywords: `select from where group by order having limit offset join left right full outer inner
    cross natural asof positional semi anti on using union all intersect except distinct as with
    recursive materialized case when then else end and or not in is null between like ilike similar
    exists asc desc nulls first last over partition rows range unbounded preceding following current
    row window filter qualify values lateral unnest pivot unpivot sample exclude replace describe
    summarize explain interval cast try_cast extract true false`,
  types: "bigint integer double decimal varchar boolean date time timestamp timestamptz interval",
  builtin: `count sum avg min max median mode quantile_cont stddev corr arg_max arg_min list string_agg
    any_value histogram approx_count_distinct date_trunc date_part date_diff strftime epoch coalesce
    nullif round abs ln log exp sqrt greatest least lower upper trim length substring
    regexp_matches regexp_replace list_contains len row_number rank dense_rank ntile lag lead
    first_value last_value`,
  doubleQuotedStrings: false,
  unquotedBitLiterals: false,
});
const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--type)" },
]);

export class Editor {
  // An editor in this element; `update` says what stands in it and what may be completed.
  constructor(root) {
    this.root = root;
    this.words = new Compartment();
    this.described = new Compartment();
    this.parameters = [];
    this.given = null; // what Python said last
    this.view = new EditorView({
      parent: root,
      root: root.getRootNode(),
      state: EditorState.create({ extensions: this.#extensions() }),
    });
  }

  #extensions() {
    const ask = () => {
      this.#tell();
      this.tell.asked();
      return true;
    };
    return [
      lineNumbers(),
      history(),
      bracketMatching(),
      closeBrackets(),
      syntaxHighlighting(COLOURS),
      EditorView.lineWrapping,
      this.words.of([]),
      this.described.of([]),
      keymap.of([
        { key: "Mod-Enter", run: ask },
        { key: "Tab", run: acceptCompletion }, // where nothing is offered, Tab leaves the editor
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...historyKeymap,
        ...defaultKeymap,
      ]),
      EditorView.domEventHandlers({
        blur: () => this.#tell(), // at once, so that a button that is clicked next knows it
        keydown: (event) => void event.stopPropagation(), // Streamlit's own keys are r and c
      }),
    ];
  }

  #statement() {
    return this.view.state.doc.toString();
  }

  #tell() {
    const statement = this.#statement();
    if (statement !== this.said) this.tell.written((this.said = statement));
  }

  update(data) {
    const { statement, parameters, ...about } = data;
    this.parameters = parameters;
    const known = JSON.stringify(about);
    if (known !== this.known) {
      this.known = known;
      this.root.style.colorScheme = about.dark ? "dark" : "light";
      this.view.dispatch({ effects: this.#reconfigured(about) });
    }
    // another statement was chosen; what comes back of one's own writing changes nothing
    if (statement !== this.given && statement !== this.said) {
      const whole = { from: 0, to: this.view.state.doc.length, insert: statement };
      this.view.dispatch({ changes: whole });
      this.said = statement;
    }
    this.given = statement;
  }

  #reconfigured({ schema, label, hint, dark }) {
    const language = sql({ dialect: DIALECT, schema, upperCaseKeywords: true });
    const offered = language.language.data.of({ autocomplete: (at) => this.#parameter(at) });
    return [
      this.words.reconfigure([language, offered, autocompletion({ icons: false })]),
      this.described.reconfigure([
        placeholder(hint),
        EditorView.darkTheme.of(dark),
        EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "true" }),
      ]),
    ];
  }

  #parameter(at) {
    const begun = at.matchBefore(/\$\w*/);
    if (!begun) return null;
    return { from: begun.from, options: this.parameters.map((label) => ({ label, type: "variable" })) };
  }

  destroy() {
    this.view.destroy();
  }
}
