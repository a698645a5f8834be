/** Where files come from: dropped, pasted, chosen. And what they are, by their names. */

import { byId } from "./dom";

export interface Sorted {
  programs: File[];
  weights: File[];
  python: File[];
}

/** Sorts files by the ends of their names. Whatever is neither weights nor Python is a program. */
export function sortFiles(files: Iterable<File>): Sorted {
  const sorted: Sorted = { programs: [], weights: [], python: [] };
  for (const file of files) {
    const name = file.name.toLowerCase();
    if (/\.(safetensors|npz|msgpack)$/.test(name)) sorted.weights.push(file);
    else if (/\.pyi?$/.test(name)) sorted.python.push(file);
    else sorted.programs.push(file);
  }
  return sorted;
}

/** Whether a paste goes to a field that takes it itself. */
function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, #editor") !== null;
}

export function startFiles(take: (files: File[]) => void): void {
  const choose = byId<HTMLInputElement>("choose");
  choose.addEventListener("change", () => {
    if (choose.files?.length) take([...choose.files]);
    // The same file can be chosen again after it changed.
    choose.value = "";
  });
  for (const opener of document.querySelectorAll("[data-choose]")) {
    opener.addEventListener("click", () => choose.click());
  }

  const veil = byId("veil");
  let depth = 0;
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener(
    "drop",
    (event) => {
      depth = 0;
      veil.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length) take(files);
    },
    // Before the editor, which would insert the contents of the file.
    { capture: true },
  );
  addEventListener("paste", (event) => {
    if (isField(event.composedPath()[0] ?? null) || isField(event.target)) return;
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (files.length) take(files);
    else if (text.trim()) take([new File([text], "pasted.mlir")]);
    else return;
    event.preventDefault();
  });
}
