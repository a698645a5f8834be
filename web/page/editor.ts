/** The pane with the text of the program: CodeMirror, with the marks of the problems and of the selected ops. */

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorSelection, EditorState, StateEffect, StateField, Transaction, type Extension } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  type DecorationSet,
} from "@codemirror/view";
import { mlir, opOfLine } from "./mlir";
import type { Problem } from "./result";

/** Problems that are marked in the text; the list has all of them. */
const MARKS = 2_000;

const SEVERITY = { error: "error", warning: "warning", advice: "info" } as const;

const setSources = StateEffect.define<{ from: number; to: number }[]>();
const sourceMark = Decoration.mark({ class: "source-op" });

/** The ops that the selected nodes come from. */
const sources = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(set, transaction) {
    set = set.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setSources)) continue;
      const ranges = effect.value.filter(({ from, to }) => to > from && to <= transaction.state.doc.length);
      set = Decoration.set(ranges.map(({ from, to }) => sourceMark.range(from, to)), true);
    }
    return set;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "0.8125rem", color: "var(--ink)", backgroundColor: "var(--card)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--soft)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--fill) 10%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--fill) 18%, transparent)", color: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--fill) 30%, transparent)",
  },
  ".cm-content": { caretColor: "var(--ink)" },
  ".source-op": {
    backgroundColor: "color-mix(in srgb, var(--fill) 26%, transparent)",
    borderRadius: "3px",
    boxShadow: "0 0 0 1.5px var(--fill)",
  },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield, .cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--card)",
    color: "var(--ink)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
    fontSize: "0.8125rem",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--card)",
    color: "var(--ink)",
    border: "1px solid var(--line)",
    borderRadius: "8px",
    maxWidth: "min(36rem, 90vw)",
  },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: ".4rem .7rem", whiteSpace: "pre-wrap" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--error)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--warning)" },
  ".cm-diagnostic-info": { borderLeft: "4px solid var(--advice)" },
  // The library's own marks are pictures in data: URLs, which the content security policy forbids.
  ".cm-lintRange": { backgroundImage: "none !important", textDecoration: "underline 2px", textUnderlineOffset: ".28em" },
  ".cm-lintRange-error": { textDecorationColor: "var(--error)" },
  ".cm-lintRange-warning": { textDecorationColor: "var(--warning)" },
  ".cm-lintRange-info": { textDecorationColor: "var(--advice)" },
  ".cm-lintRange-active": { backgroundColor: "color-mix(in srgb, var(--error) 16%, transparent)" },
  ".cm-lint-marker": { content: "normal !important", width: ".7em", height: ".7em", borderRadius: "50%", marginTop: ".45em" },
  ".cm-lint-marker-error": { backgroundColor: "var(--error)", borderRadius: "1px" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--warning)", borderRadius: "1px", transform: "rotate(45deg) scale(.9)" },
  ".cm-lint-marker-info": { backgroundColor: "var(--advice)" },
  ".t-comment, .t-location": { color: "var(--soft)" },
  ".t-string": { color: "var(--warning)" },
  ".t-value": { color: "var(--ink)" },
  ".t-symbol": { color: "var(--advice)" },
  ".t-op": { color: "var(--accent)", fontWeight: "600" },
  ".t-type": { color: "var(--soft)" },
  ".t-number": { color: "var(--advice)" },
  ".t-word": { color: "var(--ink)", fontWeight: "600" },
});

/** Shows where a place begins. A place can be wider than the pane, whose end would hide its beginning. */
function showStart(from: number): StateEffect<unknown> {
  return EditorView.scrollIntoView(from, { y: "center", xMargin: 80 });
}

export interface EditorEvents {
  /** The user changed the text. */
  edited(): void;
  /** The user put the cursor on a line, by a click or a key. */
  line(line: number, text: string): void;
}

export class Editor {
  private readonly view: EditorView;
  private readonly extensions: Extension;
  private lastLine = 0;
  /** Counts the changes of the text, so that a result can be told from one of an older text. */
  version = 0;

  constructor(host: HTMLElement, private readonly events: EditorEvents) {
    // Within a shadow tree CodeMirror adopts its style sheets; in the page it would insert <style> elements, which the
    // content security policy forbids.
    const root = host.attachShadow({ mode: "open", delegatesFocus: true });
    this.extensions = [
      lineNumbers(),
      lintGutter(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches({ minSelectionLength: 2, maxMatches: 200 }),
      search({ top: true }),
      mlir,
      sources,
      theme,
      keymap.of([...searchKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
      EditorView.contentAttributes.of({ "aria-label": "StableHLO text", spellcheck: "false" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) this.version += 1;
        const byUser = update.transactions.some((transaction) => transaction.annotation(Transaction.userEvent) !== undefined);
        if (update.docChanged && byUser) this.events.edited();
        if (!update.selectionSet || !byUser || update.docChanged) return;
        const line = update.state.doc.lineAt(update.state.selection.main.head);
        if (line.number === this.lastLine) return;
        this.lastLine = line.number;
        this.events.line(line.number, line.text);
      }),
    ];
    this.view = new EditorView({ state: this.state("", true), parent: root, root });
  }

  private state(text: string, readOnly: boolean): EditorState {
    return EditorState.create({
      doc: text,
      extensions: [this.extensions, EditorState.readOnly.of(readOnly)],
    });
  }

  /** Shows another text, without the history of the one before. */
  open(text: string, readOnly: boolean): void {
    this.lastLine = 0;
    this.version += 1;
    this.view.setState(this.state(text, readOnly));
    this.view.scrollDOM.scrollTop = 0;
  }

  text(): string {
    return this.view.state.doc.toString();
  }

  lineText(line: number): string {
    const { doc } = this.view.state;
    return line >= 1 && line <= doc.lines ? doc.line(line).text : "";
  }

  /** Marks the places of the problems. The first place carries the message, the others their labels. */
  mark(problems: Problem[]): void {
    const length = this.view.state.doc.length;
    const diagnostics: Diagnostic[] = [];
    for (const problem of problems) {
      problem.places.forEach((place, index) => {
        if (diagnostics.length >= MARKS || place.to > length) return;
        const head = `${problem.code}: ${problem.message}`;
        const label = place.label && place.label !== problem.message ? place.label : "";
        const message = index === 0 ? [head, label, problem.help && `Help: ${problem.help}`] : [label || head];
        diagnostics.push({
          from: place.from,
          to: place.to,
          severity: index === 0 ? SEVERITY[problem.severity] : "info",
          message: message.filter(Boolean).join("\n").replaceAll("`", ""),
        });
      });
    }
    for (const { code, message, severity, lines, places } of problems) {
      for (const number of lines) {
        if (diagnostics.length >= MARKS || number < 1 || number > this.view.state.doc.lines) continue;
        const line = this.view.state.doc.line(number);
        if (places.some(({ from }) => from >= line.from && from <= line.to)) continue;
        // A repeat has only its line, so that its op is marked.
        const op = opOfLine(line.text);
        const from = line.from + Math.max(0, op ? line.text.indexOf(op) : line.text.search(/\S/));
        const to = op ? from + op.length : line.to;
        diagnostics.push({ from, to, severity: SEVERITY[severity], message: `${code}: ${message}`.replaceAll("`", "") });
      }
    }
    diagnostics.sort((a, b) => a.from - b.from);
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }

  /** Marks the ops that nodes come from, and shows the first. */
  showSources(places: { from: number; to: number }[], scroll = true): void {
    const effects: StateEffect<unknown>[] = [setSources.of(places)];
    const first = places[0];
    if (scroll && first && first.to <= this.view.state.doc.length) {
      effects.push(showStart(first.from));
    }
    this.view.dispatch({ effects });
  }

  /** Selects a place and shows it. */
  reveal(from: number, to: number, focus = true): void {
    const { length } = this.view.state.doc;
    const anchor = Math.min(from, length);
    const selection = EditorSelection.single(anchor, Math.min(to, length));
    this.lastLine = this.view.state.doc.lineAt(anchor).number;
    this.view.dispatch({ selection, effects: showStart(anchor) });
    if (focus) this.view.focus();
  }

  /** Scrolls without moving the cursor. */
  scrollTo(offset: number, y: "center" | "start"): void {
    const at = Math.min(offset, this.view.state.doc.length);
    this.view.dispatch({ effects: EditorView.scrollIntoView(at, { y, yMargin: 0 }) });
  }

  revealLine(line: number): void {
    const { doc } = this.view.state;
    if (line < 1 || line > doc.lines) return;
    const { from, to } = doc.line(line);
    this.reveal(from, to);
  }
}
