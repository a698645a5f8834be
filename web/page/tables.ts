/** Tables that sort by a click on a header, and show their rows in parts. */

import { button, el, type Child } from "./dom";
import { counted } from "./words";

export interface Column<Row> {
  name: string;
  /** Numbers are on the right, and sort from the largest. */
  numeric?: boolean;
  /** The cell names its row. */
  heads?: boolean;
  class?: string;
  cell(row: Row): Child;
  /** What the column sorts by; without it, it does not sort. */
  key?(row: Row): string | number;
}

/** Rows that are shown at once; a button shows as many more. */
const PART = 200;

export function table<Row>(caption: string, columns: Column<Row>[], rows: Row[], noun = "row"): HTMLElement {
  let order = rows;
  let sorted: { column: Column<Row>; ascending: boolean } | null = null;
  let shown = PART;
  const body = el("tbody");
  const more = button("", () => {
    const first = body.rows.length;
    shown += PART * 5;
    fill();
    body.rows[first]?.querySelector<HTMLElement>("button, a")?.focus();
  });
  const heads = columns.map((column) => {
    const head = el("th", { class: column.numeric ? "n" : "", attributes: { scope: "col" } });
    if (!column.key) head.textContent = column.name;
    else head.append(button(column.name, () => sort(column), { class: "sort" }));
    return head;
  });

  function sort(column: Column<Row>): void {
    const ascending = sorted?.column === column ? !sorted.ascending : !column.numeric;
    sorted = { column, ascending };
    const sign = ascending ? 1 : -1;
    order = [...rows].sort((a, b) => {
      const [x, y] = [column.key?.(a) ?? "", column.key?.(b) ?? ""];
      return typeof x === "number" && typeof y === "number"
        ? sign * (x - y)
        : sign * String(x).localeCompare(String(y), "en", { numeric: true });
    });
    heads.forEach((head, index) => {
      if (columns[index] === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    shown = PART;
    fill();
  }

  function fill(): void {
    const part = order.slice(0, shown).map((row) =>
      el(
        "tr",
        {},
        ...columns.map((column) =>
          el(
            column.heads ? "th" : "td",
            {
              class: [column.numeric && "n", column.class].filter(Boolean).join(" "),
              attributes: { scope: column.heads ? "row" : null, "data-name": column.name },
            },
            column.cell(row),
          ),
        ),
      ),
    );
    body.replaceChildren(...part);
    more.hidden = order.length <= shown;
    more.textContent = more.hidden ? "" : `Show more: ${counted(order.length - shown, noun)} left`;
  }

  fill();
  const head = el("thead", {}, el("tr", {}, ...heads));
  const made = el("table", {}, el("caption", { text: caption }), head, body);
  return el("div", { class: "scroll" }, made, more);
}
