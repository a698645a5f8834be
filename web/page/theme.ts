/**
 * Light and dark. The style sheet follows the system by a media query; a choice replaces the condition of that query,
 * so that the colors are written once.
 */

import { byId } from "./dom";

type Theme = "system" | "light" | "dark";

const KEY = "hlo2onnx.theme";
const DARK = "(prefers-color-scheme: dark)";
const NAMES: Record<Theme, string> = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };

function darkRules(): CSSMediaRule[] {
  const rules: CSSMediaRule[] = [];
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (rule instanceof CSSMediaRule && /prefers-color-scheme:\s*dark/.test(rule.media.mediaText)) rules.push(rule);
    }
  }
  return rules;
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
    return "system";
  }
}

export function startTheme(): void {
  const control = byId<HTMLButtonElement>("theme");
  const rules = darkRules();
  let theme = stored();
  const apply = (): void => {
    const media = { system: DARK, light: "not all", dark: "all" }[theme];
    for (const rule of rules) rule.media.mediaText = media;
    document.documentElement.style.colorScheme = theme === "system" ? "" : theme;
    control.textContent = NAMES[theme];
  };
  control.addEventListener("click", () => {
    theme = NEXT[theme];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // As above.
    }
    apply();
  });
  apply();
}
