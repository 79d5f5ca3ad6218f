"use strict";
// A click on a column's head sorts its table; without this script the table is as it was written.
const number = (text) => {
  const found = text.replace(/[\s,]/g, "").replace("\u2212", "-").match(/^[-+]?[\d.]+(e-?\d+)?/i);
  return found ? Number(found[0]) : NaN;
};
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  if (body.rows.length < 3 || body.querySelector("[colspan]")) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    const wrap = () => {
      button.append(...head.childNodes);
      head.append(button);
    };
    wrap();
    // Chromium prints no button where a table's head is repeated on the next sheet.
    addEventListener("beforeprint", () => button.replaceWith(...button.childNodes));
    addEventListener("afterprint", wrap);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      // A second line of a cell, such as an interval, does not count.
      const key = (row) => (row.cells[column].firstChild?.textContent ?? "").trim();
      const order = (one, other) => {
        const [a, b] = [number(key(one)), number(key(other))];
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b) || key(one).localeCompare(key(other));
        return a - b;
      };
      const rows = [...body.rows].sort((one, other) => (down ? order(other, one) : order(one, other)));
      body.append(...rows);
    });
  });
}
