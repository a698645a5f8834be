// The page of `hlo2onnx check --html`, made fit for the editor.

const STYLE = `
body { padding: 0; }
.goes { cursor: pointer; }
.goes:hover, .goes:focus-visible { text-decoration: underline; }
`;

/** The page with a script and the colors of the editor. The content security policy of the page stays as it is. */
export function forEditor(page: string, script: string, isDark: boolean): string {
  const nonce = /<script nonce="([0-9a-f]+)">/.exec(page)?.[1];
  if (nonce === undefined) {
    return page;
  }
  const own = `<style nonce="${nonce}">${STYLE}</style>\n<script nonce="${nonce}">${script}</script>\n`;
  return page
    // The theme of the editor may differ from that of the system.
    .replace("(prefers-color-scheme: dark)", isDark ? "all" : "not all")
    .replace("color-scheme: light dark", `color-scheme: ${isDark ? "dark" : "light"}`)
    .replace(/(?=<\/body>\s*<\/html>\s*$)/, () => own);
}
