/** The page: holds what is open, asks the compiler, and gives its answers to the panels. */

import "./styles.css";
import { Compiler, NotStarted, Stopped } from "./compiler";
import { showContents } from "./contents";
import { clearDifference, showDifference } from "./difference";
import { byId } from "./dom";
import { Editor } from "./editor";
import { DEMO, FAULTY, fetchExample, type Example } from "./examples";
import { sortFiles, startFiles } from "./files";
import { GraphPanel } from "./graph";
import { sizeNames } from "./dimensions";
import { Latest, breathe, debounced } from "./latest";
import { opOfLine } from "./mlir";
import { OptionsForm } from "./options";
import { ProblemList } from "./problems";
import type { Converted, Drawn, NamedFile, Progress } from "./protocol";
import { PythonSources, quotePython } from "./python";
import type { ModelNode, Pane, Problem, Result } from "./result";
import { RunPanel, save } from "./run";
import { startSplitter } from "./splitter";
import { announce, failure, progress, showSummary, showUnread, status } from "./summary";
import { Tabs } from "./tabs";
import { startTheme } from "./theme";
import { baseName, counted, milliseconds } from "./words";

/** Milliseconds without a key before an edited text is converted. */
const PAUSE = 300;

/** What has to be done again: all from the text on, from the weights on, or the conversion only. */
type Need = "load" | "weights" | "convert" | "nothing";
const ORDER: Need[] = ["nothing", "convert", "weights", "load"];

/** The files together; one of the same name as an older one replaces it. */
function newest(older: File[], newer: File[]): File[] {
  const names = new Set(newer.map(({ name }) => name));
  return [...older.filter(({ name }) => !names.has(name)), ...newer];
}

class App {
  private readonly compiler = new Compiler((reason) => this.stopped(reason));
  private readonly python = new PythonSources();
  private readonly tabs = new Tabs((tab) => this.tabShown(tab));
  private readonly editor: Editor;
  private readonly problems: ProblemList;
  private readonly graph: GraphPanel;
  private readonly options = new OptionsForm(() => this.need("convert"));
  private readonly runPanel = new RunPanel();
  private readonly work = new Latest(() => this.convert());
  private readonly edits = debounced(PAUSE, () => this.edited());

  private program: NamedFile | null = null;
  private weights: File[] = [];
  /** The file that is open was no program. */
  private isUnread = false;
  /** Weights that came while no program was open; the next one gets them. */
  private waiting: File[] = [];
  private weightProblems: Problem[] = [];
  /** What the editor shows, or null while it does not show the program. */
  private pane: Pane | null = null;
  private needed: Need = "nothing";
  /** The worker does not have the program: it died, or could not read it. */
  private isLost = false;
  /** The text comes from the editor, so that the editor must not be filled again. */
  private isEdit = false;
  private isNew = false;
  private last: Result | null = null;
  private model: Blob | null = null;

  constructor() {
    this.editor = new Editor(byId("editor"), {
      edited: () => this.edits(),
      line: (line, text) => this.lineChosen(line, text),
    });
    this.problems = new ProblemList(this.python, {
      place: ({ from, to }) => this.showText(() => this.editor.reveal(from, to)),
      line: (line) => this.showText(() => this.editor.revealLine(line)),
      option: (field) => {
        this.tabs.show("options");
        byId(`option-${field}`).focus();
      },
      text: (line) => this.editor.lineText(line),
    });
    this.graph = new GraphPanel({
      draw: (unfolded) => this.draw(unfolded),
      failed: (error) => this.graphFailed(error),
      selected: (nodes) => this.nodesSelected(nodes),
      announce,
      isVisible: () => this.tabs.current === "graph",
      showTab: () => this.tabs.show("graph"),
      line: (line) => this.showText(() => this.editor.revealLine(line)),
      find: (words) => void this.graph.find(words),
      quote: (place) => quotePython(this.python, place),
    });
    startFiles((files) => void this.take(files));
    for (const id of ["demo", "start-demo"]) byId(id).addEventListener("click", () => void this.example(DEMO));
    for (const id of ["faulty", "start-faulty"]) byId(id).addEventListener("click", () => void this.example(FAULTY));
    byId("download").addEventListener("click", () => this.download());
    byId("again").addEventListener("click", () => this.need("load"));
    byId("line-graph").addEventListener("click", () => void this.showLineInGraph());
    clearDifference();
    void this.start(true);
  }

  private async start(isFirst: boolean): Promise<void> {
    try {
      const { version, targets } = await this.compiler.ask({ kind: "start", isFirst });
      byId("version").textContent = version;
      this.options.setTargets(targets);
    } catch (error) {
      failure("The compiler did not start.", error);
    }
  }

  private async example(example: Example): Promise<void> {
    status(`Loading the ${example.name} …`);
    try {
      await this.take(await fetchExample(example));
    } catch (error) {
      failure(`The ${example.name} could not be read.`, error);
    }
  }

  /** Takes files of any kinds. A new program replaces the one that is open, and its weights. */
  private async take(files: File[]): Promise<void> {
    const { programs, weights, python } = sortFiles(files);
    for (const file of python) await this.python.add(file);
    const [program] = programs;
    if (program) {
      this.program = { name: program.name, data: program };
      this.weights = newest(this.waiting, weights);
      this.waiting = [];
      this.isUnread = false;
      this.isEdit = false;
      this.isNew = true;
      this.last = null;
      // Until the new program is read the editor has the old one, whose edits must not replace it.
      this.edits.cancel();
      this.pane = null;
      byId("start").hidden = true;
      byId("workspace").hidden = false;
      byId("top-actions").hidden = false;
      if (programs.length > 1) announce(`${programs.length} programs came at once; ${program.name} is open.`);
      await this.need("load");
    } else if (weights.length) {
      if (!this.program || this.isUnread) {
        this.waiting = newest(this.waiting, weights);
        status(`${this.waiting.map(({ name }) => name).join(", ")}: these are weights. Choose the program too: a .mlir file, or the result of jax.export. It gets them then.`);
        return;
      }
      this.weights = newest(this.weights, weights);
      await this.need("weights");
    } else if (python.length) {
      this.problems.refresh();
      status(`${python.map(({ name }) => name).join(", ")}: the lines are quoted in the list of problems.`);
    }
  }

  private need(need: Need): Promise<void> {
    if (!this.program) return Promise.resolve();
    if (ORDER.indexOf(need) > ORDER.indexOf(this.needed)) this.needed = need;
    return this.work.ask();
  }

  private isNeeded(need: Need): boolean {
    return this.needed === need;
  }

  private edited(): void {
    if (!this.pane || this.pane.elided || this.pane.disassembled || !this.program) return;
    this.program = { name: this.program.name, data: new Blob([this.editor.text()]) };
    this.isEdit = true;
    void this.need("load");
  }

  /** Does what is needed, in order. It stops where something newer has come. */
  private async convert(): Promise<void> {
    const { program } = this;
    if (!program || this.needed === "nothing") return;
    const needed = this.isLost ? "load" : this.needed;
    this.needed = "nothing";
    let converted: Converted;
    const version = this.editor.version;
    const slow = setTimeout(() => status(`Converting ${program.name} …`), 200);
    try {
      if (needed === "load" && !(await this.load(program))) return;
      if (needed === "weights") this.weightProblems = await this.compiler.ask({ kind: "weights", weights: this.named() }, this.tell);
      if (this.isNeeded("load")) return;
      converted = await this.compiler.ask({ kind: "convert", options: this.options.value() });
      // Places of an older text would be wrong in a newer one, whose own result comes.
      if (this.isNeeded("load") || (this.isEdit && version !== this.editor.version)) return;
    } catch (error) {
      if (error instanceof Stopped) return;
      this.clear(program.name);
      this.isUnread = !(error instanceof NotStarted);
      failure(error instanceof NotStarted ? "The compiler did not start." : `${program.name} could not be read.`, error);
      return;
    } finally {
      clearTimeout(slow);
      progress(null);
    }
    try {
      await this.show(converted.result, converted.model, converted.milliseconds);
    } catch (error) {
      failure("The result could not be shown.", error);
    }
  }

  /** Shows nothing of the program before, which would look like the one that could not be read. */
  private clear(name: string): void {
    this.isLost = true;
    this.model = null;
    this.last = null;
    this.pane = null;
    this.isNew = true;
    byId<HTMLButtonElement>("download").disabled = true;
    showUnread(baseName(name));
    this.editor.open("", true);
    this.problems.show([], {}, true);
    this.tabs.badge("problems", "");
    for (const id of ["ops", "modules", "tensors"]) byId(id).replaceChildren();
    clearDifference();
    this.runPanel.clear();
    this.graph.clear();
  }

  private readonly tell = (told: Progress): void => progress(told);

  private named(): NamedFile[] {
    return this.weights.map((file) => ({ name: file.name, data: file }));
  }

  /** Reads the program and shows its text. False if something newer has come meanwhile. */
  private async load(program: NamedFile): Promise<boolean> {
    const { version } = this.editor;
    const { pane, weightProblems } = await this.compiler.ask({ kind: "load", program, weights: this.named() }, this.tell);
    this.isLost = false;
    await breathe();
    // A text that was edited meanwhile must not be replaced, and is read after the next pause.
    if (this.program !== program || (this.pane !== null && version !== this.editor.version)) return false;
    this.weightProblems = weightProblems;
    // A long literal in an edited text is shortened too; the places are then those of the shortened text. A program that
    // is only read again, because the compiler died, is shown already.
    const isShown = this.pane !== null && (this.isEdit ? !pane.elided : pane.text === this.pane.text);
    if (!isShown) {
      this.editor.open(pane.text, pane.elided || pane.disassembled);
      this.isEdit = false;
    }
    this.pane = pane;
    const note = byId("text-note");
    note.hidden = !pane.elided && !pane.disassembled;
    note.textContent = pane.disassembled
      ? "The program is in bytecode. This is its text, which cannot be edited."
      : "Long literals are shortened here, so the text cannot be edited.";
    byId("text-name").textContent = baseName(program.name);
    return true;
  }

  private async show(result: Result, model: Blob | null, took: number): Promise<void> {
    this.options.showProblem(result.optionProblem ?? "");
    if (result.optionProblem !== undefined) {
      status(`An option is wrong: ${result.optionProblem}`);
      this.tabs.badge("options", "!");
      return;
    }
    this.tabs.badge("options", "");
    result.problems = [...this.weightProblems, ...result.problems];
    const { report, problems, nodes } = result;
    const { isNew } = this;
    this.model = model;
    const name = baseName(this.program?.name ?? "model");
    showSummary(name, result, took);
    byId<HTMLButtonElement>("download").disabled = model === null;
    // Between the parts the browser draws and takes input, so that a large program makes no pause.
    await breathe();
    this.editor.mark(problems);
    await breathe();
    this.problems.show(problems, result.explanations, isNew);
    this.tabs.badge("problems", problems.length ? String(problems.length) : "");
    await breathe();
    showContents(report, { find: (words) => void this.graph.find(words) });
    this.options.hint(sizeNames(report.inputs), report.inputs.map((input) => input.name));
    this.runPanel.show(model, report, name.replace(/\.[^.]*$/, ""));
    byId("line-status").hidden = true;
    await breathe();
    const change = this.last ? showDifference(this.last, result) : "";
    if (!this.last) clearDifference();
    if (isNew) this.showBeginning(problems);
    this.last = result;
    this.isNew = false;
    const [time, found] = [milliseconds(took), counted(problems.length, "problem")];
    const isRefused = report.verdict === "refused";
    const first = isRefused ? `Not converted: ${found}, after ${time}.` : `Converted in ${time}: ${counted(nodes.length, "node")}, ${found}.`;
    status(change ? `${isRefused ? "Not converted" : `Converted again in ${time}`}: ${change}.` : first);
    byId("again").hidden = true;
    await this.graph.show(result, isNew);
    if (isNew) this.tabs.show(report.verdict === "refused" || problems.some(({ severity }) => severity !== "advice") ? "problems" : "graph");
  }

  /** Shows the first error in the text, or else the program below its table of locations. */
  private showBeginning(problems: Problem[]): void {
    const error = problems.find(({ severity, places }) => severity === "error" && (places[0]?.line ?? 0) > 0);
    const module = /^\s*(?:module|func)\b/m.exec(this.pane?.text ?? "");
    this.editor.scrollTo(error?.places[0]?.from ?? module?.index ?? 0, error ? "center" : "start");
  }

  /** The worker died. The files are still with the browser, so that they can be read again. */
  private stopped(reason: string): void {
    this.isLost = true;
    this.model = null;
    byId<HTMLButtonElement>("download").disabled = true;
    byId("again").hidden = this.program === null;
    failure("The compiler stopped, and was started again.", new Error(`${reason}. If the file is large, it may need more memory than this browser gives. Your file is unchanged: press “Convert again”, or open another.`));
    void this.start(false);
  }

  private draw(unfolded: string[]): Promise<Drawn> {
    // A message says already that the compiler stopped, and what to do.
    return this.isLost ? Promise.reject(new Stopped("The compiler stopped.")) : this.compiler.ask({ kind: "graph", unfolded });
  }

  private graphFailed(error: unknown): void {
    if (!(error instanceof Stopped)) failure("The graph could not be drawn.", error);
  }

  private showText(show: () => void): void {
    if (this.tabs.isNarrow) {
      this.tabs.show("text");
      byId("workspace").scrollIntoView();
    }
    show();
  }

  private tabShown(tab: string): void {
    if (tab === "graph") void this.graph.refresh();
  }

  private nodesSelected(nodes: ModelNode[]): void {
    const places = nodes.filter(({ line }) => line > 0);
    this.editor.showSources(places);
    byId("line-status").hidden = true;
  }

  private lineChosen(line: number, text: string): void {
    const op = opOfLine(text);
    const isShown = op !== null && this.last !== null && this.last.report.verdict !== "refused";
    byId("line-status").hidden = !isShown;
    if (!isShown || op === null) return;
    const indices = this.graph.ofLine(line);
    byId("line-words").textContent = this.graph.lineWords(line, op);
    byId("line-graph").hidden = indices.length === 0 || (this.tabs.current === "graph" && !this.tabs.isNarrow);
    byId("line-graph").dataset.line = String(line);
    this.editor.showSources([], false);
    this.graph.selectQuietly(indices);
  }

  private async showLineInGraph(): Promise<void> {
    const [index] = this.graph.ofLine(Number(byId("line-graph").dataset.line));
    if (index === undefined) return;
    this.tabs.show("graph");
    await this.graph.refresh();
    await this.graph.go(index);
  }

  private download(): void {
    if (!this.model || !this.program) return;
    const name = baseName(this.program.name).replace(/\.(gz|zst)$/i, "").replace(/\.[^.]+$/, "");
    save(this.model, `${name}.onnx`);
  }
}

startTheme();
startSplitter();
new App();
