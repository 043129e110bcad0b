// The table of instruments, made searchable. Without this script the whole table is shown.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector(".catalogue");
  const table = box && box.querySelector("table");
  if (!table) return;

  // as cards, on a phone, the table stays a table for a screen reader
  const roles = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", th: "columnheader", td: "cell" };
  for (const [tag, role] of Object.entries(roles)) {
    for (const part of box.querySelectorAll(tag)) part.setAttribute("role", role);
  }

  const folded = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  const cell = (row, number) => row.cells[number].textContent.trim();
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const column = (name) => heads.indexOf(name);
  const values = (name) => [...new Set(rows.map((row) => cell(row, column(name))))];
  // "depression, anxiety (scores: total, stress)" is found under the construct without its scores
  const constructOf = (row) => cell(row, column("Measures")).replace(/ \(scores: .*\)$/, "");
  const texts = new Map(rows.map((row) => [row, folded(row.textContent)]));

  const form = document.createElement("form");
  form.className = "catalogue-search";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Instruments");
  const field = (name, label, control) => {
    control.name = name;
    control.id = `catalogue-${name}`;
    const caption = document.createElement("label");
    caption.htmlFor = control.id;
    caption.textContent = label;
    const part = document.createElement("div");
    part.append(caption, control);
    form.append(part);
    return control;
  };
  const input = () => Object.assign(document.createElement("input"), { type: "search", autocomplete: "off" });
  const choice = (options) => {
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...options.map((text) => new Option(text, text)));
    return select;
  };

  const words = field("words", "Words", input());
  const levels = values("Level");
  const whole = levels.map((text) => text.split(":")[0]); // "individual" where only its domains have a row
  const level = field("level", "Level", choice([...new Set(levels.flatMap((text, i) => [whole[i], text]))]));
  const construct = field("construct", "Measures", input());
  const list = document.createElement("datalist");
  list.id = "catalogue-constructs";
  list.append(...[...new Set(rows.map(constructOf))].sort().map((text) => new Option("", text)));
  construct.setAttribute("list", list.id);
  const licence = field("licence", "Licence", choice(values("Licence")));
  const reset = Object.assign(document.createElement("button"), { type: "reset", textContent: "Show all" });
  const count = document.createElement("p");
  count.setAttribute("role", "status");
  form.append(list, reset, count);
  box.prepend(form);

  const holds = (text, wanted) => folded(wanted).split(/\s+/).every((word) => text.includes(word));
  const controls = [words, level, construct, licence];
  const update = () => {
    let shown = 0;
    for (const row of rows) {
      const where = cell(row, column("Level"));
      const fits =
        holds(texts.get(row), words.value) &&
        (!level.value || where === level.value || where.startsWith(`${level.value}:`)) &&
        holds(folded(constructOf(row)), construct.value) &&
        (!licence.value || cell(row, column("Licence")) === licence.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown ? `${shown} of ${rows.length}` : "No instrument fits. Try fewer or shorter words.";
    const query = new URLSearchParams(controls.filter((each) => each.value).map((each) => [each.name, each.value]));
    const address = new URL(window.location.href);
    address.search = query.toString();
    try {
      window.history.replaceState(null, "", address);
    } catch {
      // pages opened from a folder may not change their address
    }
  };

  const asked = new URLSearchParams(window.location.search);
  for (const each of controls) each.value = asked.get(each.name) ?? "";
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
  update();
});
