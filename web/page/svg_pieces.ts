/**
 * Cuts the markup of a picture into pieces that the page inserts one after the other.
 *
 * A picture of thousands of nodes takes longer to parse than a frame lasts, and only the page's own thread has a parser.
 * The worker therefore cuts it: the picture is opened as an element of its own, and everything else is complete elements.
 */

/** Markup of complete elements, or one element into which the next pieces go, or the end of that element. */
export type Piece = { markup: string } | { open: string } | { close: true };

/** Characters of a piece. One of these is parsed in a few milliseconds. */
const LENGTH = 24_000;

const TAG = /<(\/?)([a-zA-Z][\w:-]*)((?:[^"'>]|"[^"]*"|'[^']*')*?)(\/?)>/g;

export function cut(svg: string): Piece[] {
  const pieces: Piece[] = [];
  let pending = "";
  const flush = (): void => {
    if (pending) pieces.push({ markup: pending });
    pending = "";
  };
  const add = (markup: string): void => {
    pending += markup;
    if (pending.length > LENGTH) flush();
  };
  // How many open elements are within the one that is being gathered, including itself.
  let inside = 0;
  let start = 0;
  TAG.lastIndex = 0;
  for (let tag = TAG.exec(svg); tag; tag = TAG.exec(svg)) {
    const [text, slash, name, , closed] = tag;
    const end = tag.index + text.length;
    if (inside > 0) {
      if (slash) inside -= 1;
      else if (!closed) inside += 1;
      if (inside === 0) add(svg.slice(start, end));
    } else if (slash) {
      flush();
      pieces.push({ close: true });
    } else if (closed) {
      add(text);
    } else if (name === "svg") {
      flush();
      pieces.push({ open: `${text}</${name}>` });
    } else {
      start = tag.index;
      inside = 1;
    }
  }
  flush();
  return pieces;
}
