/** The form with the options of the conversion. */

import { byId, el } from "./dom";
import { debounced } from "./latest";
import type { Options } from "./result";

const field = (id: string): HTMLInputElement => byId<HTMLInputElement>(`option-${id}`);

/** Parts of a list that is separated by commas, spaces or lines. */
function parts(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

export class OptionsForm {
  private readonly target = byId<HTMLSelectElement>("option-target");
  private readonly problem = byId("option-problem");

  constructor(onChange: () => void) {
    const later = debounced(300, onChange);
    const form = byId<HTMLFormElement>("options-form");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target instanceof HTMLInputElement && event.target.type !== "checkbox") later();
    });
    form.addEventListener("change", (event) => {
      if (event.target instanceof HTMLSelectElement || (event.target instanceof HTMLInputElement && event.target.type === "checkbox")) onChange();
    });
    byId("options-reset").addEventListener("click", () => {
      form.reset();
      onChange();
    });
  }

  setTargets(targets: string[]): void {
    const chosen = this.target.value;
    const groups = Map.groupBy(targets, (target) => target.split(":")[0] ?? target);
    const made = [...groups].map(([name, items]) =>
      el("optgroup", { attributes: { label: name } }, ...items.map((target) => el("option", { text: target, attributes: { value: target } }))),
    );
    this.target.replaceChildren(el("option", { text: "any runtime", attributes: { value: "" } }), ...made);
    this.target.value = chosen;
  }

  value(): Options {
    const options: Options = {};
    const opset = field("opset").value.trim();
    if (opset) options.opset = Number(opset);
    if (this.target.value) options.target = this.target.value;
    const dims = parts(field("dims").value);
    if (dims.length) options.dims = dims;
    const dynamic = parts(field("dynamic").value);
    if (dynamic.length) options.dynamic = dynamic;
    if (field("float16").checked) options.float16 = true;
    if (field("strict-nan").checked) options.strictNan = true;
    if (field("keep-functions").checked) options.keepFunctions = true;
    if (field("debug-info").checked) options.debugInfo = true;
    const prefix = field("weights-prefix").value.trim();
    if (prefix) options.weightsPrefix = prefix;
    if (field("weights-by-order").checked) options.weightsByOrder = true;
    return options;
  }

  /** What is wrong with an option, or "". */
  showProblem(text: string): void {
    this.problem.textContent = text;
    this.problem.hidden = text === "";
  }

  /** Names that a user can fill in. */
  hint(dims: string[], inputs: string[]): void {
    byId("option-dims-hint").textContent = dims.length
      ? `The names of this program: ${dims.slice(0, 8).join(", ")}.`
      : "This program has no symbolic dimensions.";
    byId("option-dynamic-hint").textContent = inputs.length ? `Its inputs: ${inputs.slice(0, 8).join(", ")}.` : "";
  }
}
