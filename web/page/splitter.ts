/** The bar between the text and the panels, which a pointer or the arrow keys move. */

import { byId } from "./dom";

const STEP = 3;
const SMALLEST = 20;
const LARGEST = 75;

export function startSplitter(): void {
  const bar = byId("splitter");
  const workspace = byId("workspace");
  let share = 44;
  const set = (value: number): void => {
    share = Math.max(SMALLEST, Math.min(LARGEST, value));
    workspace.style.setProperty("--text-share", `${share}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
  };
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const { left, width } = workspace.getBoundingClientRect();
    set(((event.clientX - left) / width) * 100);
  });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    set(share + by);
  });
  set(share);
}
