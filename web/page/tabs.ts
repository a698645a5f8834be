/** The tabs of the workspace. In a narrow window the text is a tab too; otherwise it stands beside them. */

import { byId } from "./dom";

export type Tab = "text" | "problems" | "graph" | "ops" | "modules" | "tensors" | "options" | "run";

const ALL: Tab[] = ["text", "problems", "graph", "ops", "modules", "tensors", "options", "run"];
const NARROW = "(max-width: 60rem)";

export class Tabs {
  private readonly narrow = matchMedia(NARROW);
  private selected: Tab = "problems";

  /** `shown` is told about each tab that becomes visible. */
  constructor(private readonly shown: (tab: Tab) => void) {
    for (const tab of ALL) this.control(tab).addEventListener("click", () => this.show(tab));
    byId("tabs").addEventListener("keydown", (event) => this.key(event));
    this.narrow.addEventListener("change", () => this.apply());
    this.apply();
  }

  get current(): Tab {
    return this.selected;
  }

  /** Whether the text hides the other tabs when it is shown. */
  get isNarrow(): boolean {
    return this.narrow.matches;
  }

  show(tab: Tab): void {
    if (tab !== "text" || this.narrow.matches) this.selected = tab;
    this.apply();
    // The tabs stay in sight while the panel below them scrolls; a new panel begins at its top.
    const workspace = byId("workspace");
    if (this.narrow.matches && workspace.getBoundingClientRect().top < 0) workspace.scrollIntoView();
    this.shown(tab);
  }

  /** Text beside the name of a tab, such as the number of problems. */
  badge(tab: Tab, text: string): void {
    const badge = this.control(tab).querySelector("b");
    if (badge) badge.textContent = text;
  }

  private control(tab: Tab): HTMLButtonElement {
    return byId<HTMLButtonElement>(`tab-${tab}`);
  }

  private visible(): Tab[] {
    return ALL.filter((tab) => tab !== "text" || this.narrow.matches);
  }

  private apply(): void {
    if (this.selected === "text" && !this.narrow.matches) this.selected = "problems";
    for (const tab of ALL) {
      const control = this.control(tab);
      const isSelected = tab === this.selected;
      control.hidden = tab === "text" && !this.narrow.matches;
      control.setAttribute("aria-selected", String(isSelected));
      control.tabIndex = isSelected ? 0 : -1;
      byId(`panel-${tab}`).hidden = tab === "text" ? this.narrow.matches && !isSelected : !isSelected;
    }
    const text = byId("panel-text");
    // Beside the tabs the text is a region of the page, and not a panel of one of them.
    text.setAttribute("role", this.narrow.matches ? "tabpanel" : "region");
    byId("side").classList.toggle("behind", this.narrow.matches && this.selected === "text");
  }

  private key(event: KeyboardEvent): void {
    const tabs = this.visible();
    const at = tabs.indexOf(this.selected);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    if (!tab) return;
    this.show(tab);
    this.control(tab).focus();
  }
}
