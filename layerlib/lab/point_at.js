(() => {
  const MINUS = "\u2212";
  // As Python rounds: to two digits, halves to the even one.
  const say = (x) => {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x < 0 ? MINUS + "∞" : "∞";
    const size = Math.round(Math.abs(x) * 1e9) / 1e9;
    const down = Math.floor(size * 100);
    const near = (size * 8) % 2 === 1 ? (down + (down % 2)) / 100 : size;
    const said = near.toFixed(2).replace(/\.?0+$/, "");
    return x < 0 && said !== "0" ? MINUS + said : said;
  };
  const number = (text) => {
    const plain = text.trim().replace(/[\u2212\u2013]/g, "-").replace(",", ".");
    const large = plain.replace("∞", "Infinity");
    return /^-?(\d+\.?\d*|\.\d+|Infinity)$/.test(large) ? Number(large) : NaN;
  };
  const hue = (n) => `var(--p${(n - 1) % 9})`;
  const stripes = (ns) => {
    const few = ns.slice(0, 4);
    const cut = (k) => `${Math.round((10000 * k) / few.length) / 100}%`;
    const part = (n, k) => `${hue(n)} ${cut(k)} ${cut(k + 1)}`;
    return few.length > 1 ? `linear-gradient(135deg,${few.map(part)})` : hue(ns[0]);
  };

  const start = (figure) => {
    const data = JSON.parse(figure.querySelector("[type='application/json']").textContent);
    const grids = [...figure.querySelectorAll(".g")];
    const cells = grids.map((grid) => [...grid.querySelectorAll("i")]);
    const inputs = data.i;
    const values = cells.slice(0, inputs).map((all) => all.map((cell) => number(cell.textContent)));
    const given = values.map((all) => [...all]);
    const equation = figure.querySelector(".q0");
    let which = 0, kept = data.v[0].r, chosen = kept, active = null;

    const place = (k, n) => {
      const label = cells[k][n].getAttribute("aria-label").split(": ")[0];
      const at = label.split(", ").map((part) => part.split(" ").pop()).join(", ");
      return grids[k].dataset.t + (grids[k].dataset.d > 0 ? `[${at}]` : "");
    };
    const write = (cell, text) => {
      if (!cell.querySelector("input")) cell.textContent = text;
      const label = cell.getAttribute("aria-label");
      cell.setAttribute("aria-label", label.slice(0, label.lastIndexOf(": ") + 2) + text);
    };
    const fit = (k) => {
      const longest = Math.max(...cells[k].map((cell) => cell.textContent.length));
      grids[k].parentElement.style.setProperty("--w", `${Math.max(32, 9 * longest + 10)}px`);
    };

    // A term is a factor and the cell of each input that it is multiplied with.
    const at = (term) => term.slice(1).flatMap((n, k) => (n < 0 ? [] : [[k, n]]));
    const total = (made, how) => {
      const each = made.map((term) =>
        at(term).reduce((product, [k, n]) => product * values[k][n], data.f[term[0]][0]));
      return how === "sum" ? each.reduce((a, b) => a + b, 0) : Math[how](...each);
    };
    const factors = (term) =>
      at(term).map(([k, n]) => say(values[k][n])).map((x) => (x[0] === MINUS ? `(${x})` : x));
    const told = (made, how, result, best) => {
      if (!made.some((term) => at(term).length)) return [[result]];
      const first = data.f[made[0][0]][0];
      if (how !== "sum") {
        const list = made.flatMap((term, n) =>
          [[n ? ", " : ""], [say(total([term], "sum")), n + 1, best(term)]]);
        return [[`${how}(`], ...list, [`) = ${result}`]];
      }
      if (made.length === 1 && first === 1 && at(made[0]).length === 1)
        return [[place(...at(made[0])[0]), 1], [` = ${result}`]];
      const parts = Math.round(1 / first);
      const even = parts > 1 && made.every((term) =>
        Math.abs(data.f[term[0]][0] * parts - 1) < 1e-6 && at(term).length);
      const list = made.flatMap((term, n) => {
        const [factor, text] = data.f[term[0]];
        if (even) return [[n ? " + " : ""], [factors(term).join("·"), n + 1]];
        const sign = n ? (factor < 0 ? ` ${MINUS} ` : " + ") : factor < 0 ? MINUS : "";
        const shown = Math.abs(factor) === 1 && at(term).length ? [] : [text];
        return [[sign], [[...shown, ...factors(term)].join("·"), at(term).length && n + 1]];
      });
      const around = even ? (made.length > 1 ? [["("], [`) / ${parts}`]] : [[""], [` / ${parts}`]]) : [[""], [""]];
      return [around[0], ...list, around[1], [` = ${result}`]];
    };

    const unmark = () => figure.querySelectorAll("[data-n],.s,.q").forEach((cell) => {
      if (cell.closest(".q0")) return;
      cell.classList.remove("s", "f", "q", "n");
      ["data-n", "data-w", "style"].forEach((name) => cell.removeAttribute(name));
    });
    const mark = (made, best) => {
      const seen = new Map();
      made.forEach((term, n) => at(term).forEach(([k, m]) => {
        const cell = cells[k][m];
        seen.set(cell, [...(seen.get(cell) || []), n + 1]);
        cell.classList.toggle("n", best(term));
      }));
      for (const [cell, ns] of seen) {
        cell.dataset.n = ns.slice(0, 3).join(" ") + (ns.length > 3 ? "…" : "");
        cell.style.setProperty("--c", stripes(ns));
      }
    };
    const shade = (made) => made.forEach(([k, n, weight, strong, less]) => {
      const cell = cells[k][n];
      cell.classList.add("s");
      cell.classList.toggle("f", Boolean(less));
      cell.style.setProperty("--a", `${strong}%`);
      cell.dataset.w = weight;
    });
    const span = ([text, n, best]) => {
      const part = document.createElement(n ? "b" : "span");
      part.textContent = text;
      if (n) {
        part.dataset.n = n;
        part.style.setProperty("--c", hue(n));
        part.classList.toggle("n", Boolean(best));
      }
      return part;
    };
    const best = (variant, made) => (term) =>
      variant.how !== "sum" && total([term], "sum") === total(made, variant.how);
    // What is said of a cell of the output.
    const sentence = (n) => {
      const variant = data.v[which], made = variant.t?.[n] || [], k = inputs + which;
      const parts = variant.s ? [[variant.s[n]]]
        : [[`${place(k, n)} = `], ...told(made, variant.how, cells[k][n].textContent, best(variant, made))];
      const said = parts.map(span), beyond = variant.z?.[n] || [];
      if (beyond.length) {
        const note = document.createElement("small");
        note.textContent = ` (and ${beyond.length} of padding)`;
        said.push(note);
      }
      return said;
    };
    const show = () => {
      const variant = data.v[which], made = variant.t?.[chosen] || [];
      unmark();
      equation.replaceChildren(...sentence(chosen));
      if (variant.s) shade(variant.w[chosen]);
      else mark(made, best(variant, made));
      (variant.z?.[chosen] || []).forEach((n) => cells[0][n].classList.add("q"));
      cells[inputs + which].forEach((cell, n) => cell.setAttribute("aria-selected", n === chosen));
    };
    const follow = () => {
      data.v.forEach((variant, v) => {
        if (variant.s) return;
        variant.t.forEach((made, n) => write(cells[inputs + v][n], say(total(made, variant.how))));
        fit(inputs + v);
      });
      show();
    };

    // The longest sentence has its place at each width, so that nothing below moves: all are
    // laid out once, where nobody sees them.
    let width = 0;
    const settle = () => {
      if (figure.offsetWidth === width) return;
      width = figure.offsetWidth;
      const unseen = document.createElement("div");
      unseen.style.cssText = `position:absolute;visibility:hidden;width:${equation.parentElement.clientWidth}px`;
      unseen.append(...cells[inputs + which].map((_, n) => {
        const copy = equation.cloneNode();
        copy.style.minHeight = "";
        copy.replaceChildren(...sentence(n));
        return copy;
      }));
      equation.after(unseen);
      const tall = Math.max(0, ...[...unseen.children].map((copy) => copy.offsetHeight));
      unseen.remove();
      equation.style.minHeight = `${tall}px`;
      show();
    };
    const point = (n) => {
      chosen = n;
      show();
    };
    const keep = (n) => {
      kept = n;
      point(n);
    };

    const keys = document.createElement("div");
    keys.className = "k";
    const key = (text, label, act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.setAttribute("aria-label", label);
      button.addEventListener("pointerdown", (event) => event.preventDefault());
      button.addEventListener("click", act);
      keys.append(button);
    };
    const set = (k, n, value) => {
      const cell = cells[k][n], field = cell.querySelector("input");
      if (cell.classList.contains("z")) return;
      values[k][n] = value;
      if (field) field.value = say(value);
      write(cell, say(value));
    };
    const step = (by) => {
      const [k, n] = active;
      set(k, n, values[k][n] + by);
      fit(k);
      follow();
    };
    key(`${MINUS}1`, "One less in the cell", () => step(-1));
    key("+1", "One more in the cell", () => step(1));
    key("Reset", "All numbers as they were", () => {
      given.forEach((all, k) => {
        all.forEach((value, n) => set(k, n, value));
        fit(k);
      });
      follow();
    });
    equation.after(keys);

    const edit = (k, n, first) => {
      const cell = cells[k][n], field = document.createElement("input"), before = values[k][n];
      active = [k, n];
      keys.classList.add("on");
      field.value = first ?? say(before);
      field.setAttribute("aria-label", place(k, n));
      field.inputMode = "decimal";
      field.autocomplete = "off";
      field.maxLength = 6;
      cell.replaceChildren(field);
      field.focus();
      if (first === undefined) field.select();
      const take = () => {
        const value = number(field.value);
        const right = Number.isFinite(value);
        field.setAttribute("aria-invalid", !right);
        if (right) {
          values[k][n] = value;
          follow();
        }
      };
      let over = false;
      const done = (back) => {
        if (over) return;
        over = true;
        if (back) values[k][n] = before;
        cell.textContent = "";
        write(cell, say(values[k][n]));
        fit(k);
        follow();
      };
      if (first !== undefined) take();
      field.addEventListener("input", take);
      field.addEventListener("blur", () => done(false));
      field.addEventListener("click", (event) => event.stopPropagation());
      field.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.key === "ArrowUp" || event.key === "ArrowDown") step(event.key === "ArrowUp" ? 1 : -1);
        else if (event.key === "Enter" || event.key === "Escape") {
          done(event.key === "Escape");
          cell.focus();
        } else return;
        event.preventDefault();
      });
    };

    grids.forEach((grid, k) => {
      const output = k >= inputs, editable = data.e.includes(k);
      const all = cells[k], stops = all.filter((cell) => !cell.classList.contains("z"));
      const wide = grid.firstElementChild.children.length;
      if (editable) grid.classList.add("w");
      grid.setAttribute("aria-readonly", !editable);
      if (output) grid.addEventListener("pointerleave", () => point(kept));
      const stop = (cell) => stops.forEach((each) => { each.tabIndex = each === cell ? 0 : -1; });
      stop(output ? all[data.v[k - inputs].r] : stops[0]);
      all.forEach((cell, n) => {
        if (cell.classList.contains("z")) return;
        if (output) {
          cell.addEventListener("pointerenter", () => point(n));
          cell.addEventListener("click", () => cell.focus());
          cell.addEventListener("focus", () => keep(n));
        } else if (editable) cell.addEventListener("click", () => edit(k, n));
        cell.addEventListener("focus", () => {
          stop(cell);
          if (editable) active = [k, n];
        });
        cell.addEventListener("keydown", (event) => {
          if (event.ctrlKey || event.metaKey || event.altKey) return;
          // Over padding to the next cell, if there is one.
          const walk = (by, most) => {
            for (let k = 1; k <= most; k++) if (stops.includes(all[n + k * by])) return n + k * by;
            return n;
          };
          const before = n % wide;
          const next = {
            ArrowLeft: walk(-1, before), ArrowRight: walk(1, wide - 1 - before),
            ArrowUp: walk(-wide, all.length), ArrowDown: walk(wide, all.length),
            Home: all.indexOf(stops[0]), End: all.indexOf(stops.at(-1)),
          }[event.key];
          if (next !== undefined) all[next].focus();
          else if (editable && (event.key === "Enter" || event.key === "F2")) edit(k, n);
          else if (editable && /^[-\d]$/.test(event.key)) edit(k, n, event.key);
          else return;
          // A page may turn over at an arrow.
          event.preventDefault();
          event.stopPropagation();
        });
      });
    });

    const turn = (v) => {
      const before = place(inputs + which, kept);
      which = v;
      grids.slice(inputs).forEach((grid, n) =>
        grid.parentElement.classList.toggle("off", n !== v));
      const same = cells[inputs + v].findIndex((_, n) => place(inputs + v, n) === before);
      figure.querySelectorAll(".z").forEach((cell) =>
        cell.classList.toggle("x", !data.v[v].p?.includes(cells[0].indexOf(cell))));
      keep(same < 0 ? data.v[v].r : same);
    };
    const radios = [...figure.querySelectorAll("input[type=radio]")];
    const group = `point-at-${(window.pointAt = (window.pointAt || 0) + 1)}`;
    radios.forEach((radio, v) => {
      radio.name = group;
      radio.checked = !v;
      radio.addEventListener("change", () => turn(v));
    });
    new ResizeObserver(settle).observe(figure);
    // JupyterLab would make a heading of the notebook's cell at a digit.
    figure.dataset.lmSuppressShortcuts = "true";
    figure.dataset.on = "";
  };
  document.querySelectorAll(".pointat:not([data-on])").forEach(start);
})();
