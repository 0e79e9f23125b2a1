// Makes a list of trials searchable, filterable and sortable. The list is complete without it.
(() => {
  "use strict";
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function enhance(list, number) {
    const table = list.querySelector("table");
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows].map((row) => ({
      row, text: row.textContent.toLowerCase(),
      values: [...row.cells].map((cell) => (cell.dataset.v ?? "").split("|")),
    }));
    const asked = new URLSearchParams(window.location.search);
    const bar = element("form", { className: "trial-bar" });
    bar.setAttribute("role", "search");
    bar.setAttribute("aria-label", "Trials");
    bar.addEventListener("submit", (event) => event.preventDefault());

    const box = element("input", { type: "search", id: `trial-search-${number}`, autocomplete: "off" });
    box.value = asked.get("q") ?? "";
    bar.append(element("div", { className: "trial-field trial-search" },
      element("label", { htmlFor: box.id, textContent: "Search titles, numbers and quoted words" }), box));

    const menus = heads.map((head, column) => {
      if (!("filter" in head.dataset)) return null;
      const found = new Map();
      for (const { values } of rows) {
        for (const value of values[column]) found.set(value, (found.get(value) ?? 0) + 1);
      }
      const menu = element("select", { id: `trial-${head.dataset.name}-${number}` });
      menu.append(element("option", { value: "", textContent: "all" }));
      for (const value of [...found.keys()].sort(words.compare)) {
        menu.append(element("option", { value, textContent: `${value} (${found.get(value)})` }));
      }
      menu.value = asked.get(head.dataset.name) ?? "";
      if (menu.selectedIndex < 0) menu.value = "";
      bar.append(element("div", { className: "trial-field" },
        element("label", { htmlFor: menu.id, textContent: head.textContent }), menu));
      return menu;
    });
    const clear = element("button", { type: "button", className: "trial-clear", textContent: "Show all" });
    bar.append(clear);
    const count = element("p", { className: "trial-count" });
    count.setAttribute("role", "status");
    count.setAttribute("aria-live", "polite");
    list.before(bar, count);

    let waiting = 0;
    function show() {
      const sought = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const { row, text, values } of rows) {
        const fits = sought.every((word) => text.includes(word)) &&
          menus.every((menu, column) => !menu || !menu.value || values[column].includes(menu.value));
        row.hidden = !fits;
        shown += fits;
      }
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        count.textContent = shown === rows.length
          ? `All ${rows.length} trials` : `${shown} of ${rows.length} trials`;
      }, 150);
    }

    function sort(column, head) {
      const down = head.getAttribute("aria-sort") === "ascending";
      const numeric = head.dataset.sort === "number";
      const key = ({ values }) => (numeric ? values[column][0] : values[column].join(" "));
      rows.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = numeric ? Number(x) - Number(y) : words.compare(x, y);
        return down ? -order : order;
      });
      for (const other of heads) if (other !== head) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows.map(({ row }) => row));
    }

    heads.forEach((head, column) => {
      const button = element("button", { type: "button", className: "trial-sort" });
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(column, head));
      head.append(button);
    });
    box.addEventListener("input", show);
    for (const menu of menus) menu?.addEventListener("change", show);
    clear.addEventListener("click", () => {
      box.value = "";
      for (const menu of menus) if (menu) menu.value = "";
      show();
      box.focus();
    });
    show();
  }

  function start() {
    document.querySelectorAll("[data-trial-list]").forEach(enhance);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
