// Above each table of layers: a field that leaves the layers whose name, family or line
// has what was typed. Without scripts the whole table is there.
document.querySelectorAll("table.layers:not([data-ready])").forEach((table) => {
  table.dataset.ready = "";
  const all = table.querySelectorAll("th code").length;
  const label = document.createElement("label");
  const field = document.createElement("input");
  const found = document.createElement("output");
  label.append("Find a layer", field);
  field.type = "search";
  field.placeholder = "norm, Conv2d, b i …";
  const filter = () => {
    const asked = field.value.toLowerCase().trim();
    let count = 0;
    for (const family of table.tBodies) {
      const [head, ...rows] = family.rows;
      const whole = head.textContent.toLowerCase().includes(asked);
      for (const row of rows) {
        row.hidden = !whole && !row.textContent.toLowerCase().includes(asked);
        if (!row.hidden) count += row.querySelectorAll("th code").length;
      }
      family.hidden = rows.every((row) => row.hidden);
    }
    found.textContent = asked ? `${count} of ${all} layers` : "";
  };
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = "";
    filter();
  });
  const bar = document.createElement("p");
  bar.className = "find";
  bar.append(label, found);
  table.before(bar);
});
