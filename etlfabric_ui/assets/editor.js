// The SQL editor: CodeMirror 6 as a React component. Bundled by the build, which imports this file.
// The text belongs to the browser until it is saved; the server is told only what is asked of it.
import { createElement, useEffect, useRef } from "react";
import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { PostgreSQL, keywordCompletionSource, sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  Decoration, EditorView, MatchDecorator, ViewPlugin, drawSelection, highlightActiveLine,
  highlightActiveLineGutter, keymap, lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const NARROW = "(max-width: 639px)";
const NOTHING = { text: null, version: null };

// ── Unsaved text stays in this browser, per person, org and file: it survives a sign-out ──
const keyOf = (props) => props.keep && props.name ? `etlfabric.unsaved:${props.keep}:${props.name}` : "";
function kept(props) {
  try { return JSON.parse(localStorage.getItem(keyOf(props)) || "null") || NOTHING; } catch { return NOTHING; }
}
function keep(props, text, version) {
  const key = keyOf(props);
  if (!key) return;
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify({ text, version }));
  } catch { /* a full or closed storage: the text still stands in the editor */ }
}

// ── Jinja in SQL ──
const jinja = new MatchDecorator({
  regexp: /\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}/g,
  decoration: Decoration.mark({ class: "tok-jinja" }),
});
const jinjaMarks = ViewPlugin.fromClass(class {
  constructor(view) { this.marks = jinja.createDeco(view); }
  update(update) { this.marks = jinja.updateDeco(update, this.marks); }
}, { decorations: (plugin) => plugin.marks });

// ── Completion: names inside ref(), columns of what the text reads, names, keywords ──
function completions(props) {
  const tables = () => props.current.tables || [];
  const names = (context) => {
    const inside = context.matchBefore(/ref\(\s*['"][\w]*/);
    if (inside) {
      const from = inside.from + inside.text.search(/['"]/) + 1;
      return { from, options: tables().map((one) => ({ label: one.name, type: "class" })), validFor: /^\w*$/ };
    }
    const word = context.matchBefore(/\w+/);
    if (!word && !context.explicit) return null;
    const text = context.state.doc.toString();
    const read = new Set([...text.matchAll(/\b\w+\b/g)].map((match) => match[0]));
    const options = [];
    for (const table of tables()) {
      const apply = props.current.refs ? `{{ ref('${table.name}') }}` : table.name;
      options.push({ label: table.name, type: "class", detail: table.schema, apply });
      if (!read.has(table.name)) continue;
      for (const column of table.columns) {
        options.push({ label: column.name, type: "property", detail: column.type, boost: 2 });
      }
    }
    return { from: word ? word.from : context.pos, options, validFor: /^\w*$/ };
  };
  return [names, keywordCompletionSource(PostgreSQL, false)];
}

function extensions(props, parts) {
  const tell = (what) => (view) => { ask(view, props, what); return true; };
  const narrow = matchMedia(NARROW).matches;
  const language = props.current.language === "yaml" ? [yaml()]
    : props.current.language === "sql"
      ? [sql({ dialect: PostgreSQL }), autocompletion({ icons: false, override: completions(props) }), jinjaMarks]
      : [];
  return [
    Prec.highest(keymap.of([
      { key: "Mod-Enter", run: tell("preview") },
      { key: "Shift-Mod-Enter", run: tell("compile") },
      { key: "Mod-s", run: tell("save"), preventDefault: true },
    ])),
    keymap.of([...completionKeymap, ...searchKeymap, ...historyKeymap, indentWithTab, ...defaultKeymap]),
    lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), lintGutter(),
    highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(), search({ top: true }),
    syntaxHighlighting(classHighlighter), EditorView.lineWrapping, language,
    parts.locked.of(locked(props.current, narrow)),
    EditorView.contentAttributes.of({ "aria-label": props.current.label || "SQL", spellcheck: "false" }),
    EditorView.updateListener.of((update) => { if (update.docChanged) changed(update.view, props, parts); }),
  ];
}

const locked = (props, narrow) => [
  EditorState.readOnly.of(Boolean(props.readOnly) || narrow),
  EditorView.editable.of(true), // reachable by keyboard, to read and copy
];

function changed(view, props, parts) {
  const text = view.state.doc.toString();
  const dirty = text !== (props.current.value || "");
  keep(props.current, dirty ? text : null, parts.base);
  if (dirty !== parts.dirty) {
    parts.dirty = dirty;
    props.current.onDirty?.(parts.name, dirty);
  }
}

function ask(view, props, what, base) {
  const text = view.state.doc.toString();
  const parts = view.parts;
  if (what === "save") { if (!view.state.readOnly) props.current.onSave?.(text, base ?? parts.base); }
  else if (what === "preview") props.current.onPreview?.(text);
  else if (what === "compare") props.current.onCompare?.(text);
  else if (what === "compile") props.current.onCompile?.(text);
  else if (what === "format") { if (!view.state.readOnly) props.current.onFormat?.(text); }
}

function goTo(view, number) {
  const line = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  view.focus();
}

function replace(view, text) {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

export function SqlEditor(given) {
  const box = useRef(null), view = useRef(null), props = useRef(given);
  props.current = given;

  useEffect(() => { // one editor a file
    const parts = { locked: new Compartment(), name: given.name, base: given.version, dirty: false };
    const mine = kept(given);
    const text = mine.text === null || given.readOnly ? given.value || "" : mine.text;
    if (mine.text !== null && mine.version !== null) parts.base = mine.version;
    const made = new EditorView({
      state: EditorState.create({ doc: text, extensions: extensions(props, parts) }),
      parent: box.current,
    });
    made.parts = parts;
    view.current = made;
    parts.dirty = text !== (given.value || "");
    if (parts.dirty) given.onDirty?.(given.name, true);
    const media = matchMedia(NARROW);
    const relock = () => made.dispatch({ effects: parts.locked.reconfigure(locked(props.current, media.matches)) });
    media.addEventListener("change", relock);
    const clicked = (event) => {
      const button = event.target.closest?.("[data-editor]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      if (button.dataset.editor === "line") goTo(made, Number(button.dataset.line));
      else ask(made, props, button.dataset.editor, button.dataset.base);
    };
    const pressed = (event) => { // the keys work beside the editor, too
      if (!(event.metaKey || event.ctrlKey) || made.hasFocus || event.defaultPrevented) return;
      if (event.key === "Enter") { event.preventDefault(); ask(made, props, event.shiftKey ? "compile" : "preview"); }
      if (event.key === "s") { event.preventDefault(); ask(made, props, "save"); }
    };
    document.addEventListener("click", clicked);
    document.addEventListener("keydown", pressed);
    return () => {
      document.removeEventListener("click", clicked);
      document.removeEventListener("keydown", pressed);
      media.removeEventListener("change", relock);
      made.destroy();
    };
  }, [given.name, given.language]);

  useEffect(() => { // stored anew, by this editor or another
    const editor = view.current;
    if (!editor || editor.parts.base === given.version) return;
    const own = given.saved === given.version;
    const unsaved = editor.parts.dirty && editor.state.doc.toString() !== (given.value || "");
    if (!unsaved && !own) replace(editor, given.value || "");
    if (!unsaved || own) editor.parts.base = given.version; // else a save will be told who came first
    changed(editor, props, editor.parts);
  }, [given.version, given.value, given.saved]);

  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch({ effects: editor.parts.locked.reconfigure(locked(given, matchMedia(NARROW).matches)) });
  }, [given.readOnly]);

  useEffect(() => { // a text the server offers: formatted, restored, an example
    if (view.current && given.offer) replace(view.current, given.offer);
  }, [given.offerNumber]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const found = given.errorLine > 0 && given.errorLine <= editor.state.doc.lines;
    const line = found ? editor.state.doc.line(given.errorLine) : null;
    const marks = line ? [{ from: line.from, to: line.to, severity: "error", message: given.errorSaid || "" }] : [];
    editor.dispatch(setDiagnostics(editor.state, marks));
  }, [given.errorLine, given.errorSaid]);

  return createElement("div", { ref: box, className: "editor" });
}
