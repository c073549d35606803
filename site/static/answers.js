// Judges answers on the page, as classroom/judge does: values, and lines of letters.
// book_answers.py gives each exercise; book.js keeps what was typed in the browser.
(() => {
const shape = (sizes) => `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;
const times = (numbers) => numbers.reduce((a, b) => a * b, 1);
const words = (text) => text.match(/\S+/g) ?? [];
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const sorted = (list) => [...list].sort();
const unique = (list) => [...new Map(list.map((x) => [String(x), x])).values()];

// ---- Values

// What a text says as Python reads it: a number, a sum, a list of them. NaN otherwise.
const calculated = (text) => {
  const tokens = text.replace(/[·×]/g, "*").replace(/[−–]/g, "-")
    .match(/(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|\*\*|\S/gi) ?? [];
  const takes = (...signs) => signs.includes(tokens[0]) && tokens.shift();
  const list = (end) => {
    const items = [];
    let comma = false;
    while (tokens.length && tokens[0] !== end) {
      items.push(sum());
      if (!takes(",")) break;
      comma = true;
    }
    if (tokens.shift() !== end) return NaN;
    return comma || !items.length || end === "]" ? items : items[0];
  };
  const atom = () => {
    if (takes("(")) return list(")");
    return takes("[") ? list("]") : Number(tokens.shift());
  };
  const power = () => {
    if (takes("-")) return -power();
    const base = atom();
    return takes("**") ? base ** power() : base;
  };
  const product = () => {
    let value = power();
    for (let sign; (sign = takes("*", "/")); )
      value = sign === "*" ? value * power() : value / power();
    return value;
  };
  const sum = () => {
    let value = product();
    for (let sign; (sign = takes("+", "-")); )
      value = sign === "+" ? value + product() : value - product();
    return value;
  };
  return list();
};

const far = (given, right) => {
  if (right && given && Math.abs(given - right) === 1) return "It is off by one.";
  const few = { 2: "twice", 3: "three times", 4: "four times" };
  const whole = (more, less) => (more && less && more % less === 0 ? more / less : 0);
  const [more, less] = [whole(given, right), whole(right, given)];
  if (more in few) return `It is ${few[more]} what it should be.`;
  if (less in few) return `It is 1/${less} of what it should be.`;
  return given > right ? "It is too large." : "It is too small.";
};

// How a wrong value stands to the right one.
const near = (kind, given, right) => {
  if (kind === "frozenset") {
    const glued = given.find((word) => /^[bijo]{2,}$/.test(word));
    if (glued) return `Put spaces between letters: '${glued}' is one letter here.`;
    const within = (some, all) => some.every((x) => all.includes(x));
    if (within(given, right)) return "What is there is right, and something is missing.";
    if (within(right, given))
      return "All of the right ones are there, and something that is not.";
  } else if (kind === "tuple") {
    if (given.length !== right.length)
      return `Expected ${right.length} numbers, got ${given.length}.`;
    if (same(sorted(given), sorted(right)))
      return "The numbers are the right ones, in another order.";
    const wrong = given.map((x, at) => x !== right[at] && at + 1).filter(Boolean);
    if (wrong.length < given.length && wrong.length <= 3)
      return `Of its numbers, counted from 1, ${wrong.join(" and ")} ${wrong.length === 1 ? "is" : "are"} wrong.`;
  } else if (kind !== "str") return far(given, right);
  return "";
};

const quoted = (text) => (text.includes("'") ? `"${text}"` : `'${text}'`);
const judgeValue = ({ kind, right, mistakes }, text) => {
  let given = text.trim();
  let told = given;
  if (kind === "frozenset" || kind === "str") {
    given = text.replace(/^\s*(["'])(.*)\1\s*$/, "$2");
    told = quoted(given);
    if (kind === "frozenset") given = sorted(unique(given.match(/[\p{L}\p{N}_]+/gu) ?? []));
  } else {
    if (kind !== "tuple") given = given.replace(/(?<=\d)[,_](?=\d{3}(?!\d))/g, "");
    given = calculated(given);
    if (kind === "tuple" && !Array.isArray(given)) given = [given];
    const readable = [given].flat().every(Number.isFinite);
    const fits = kind === "tuple" || (kind === "int" ? Number.isInteger(given) : !Array.isArray(given));
    if (!readable) told = quoted(told);
    if (!readable || !fits)
      return `Expected a ${kind === "int" ? "whole number" : kind}, got ${told}.`;
  }
  if (same(given, right)) return true;
  const known = mistakes.filter(([wrong]) => same(given, wrong)).map(([, said]) => said);
  return known.join("\n") || `It is not ${told}.\n${near(kind, given, right)}`.trim();
};

// ---- Lines

const split = (side) =>
  (side.match(/\([^)]*\)|\S+/g) ?? []).map((axis) => axis.replace(/^[()]+|[()]+$/g, ""));
const isLetter = (name) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name);

// What is wrong with how a line is written.
const written = (line, { kind, inputs }) => {
  if (line.includes("→"))
    return "The arrow is written `->`, as a minus and a greater-than sign.";
  const arrow = /=+>?|-{2,}>|[—–]>/.exec(line);
  if (arrow) return `The arrow is written \`->\`, not \`${arrow[0]}\`.`;
  const plain = words(line.replace(/\s*(,|->)\s*/g, " $1 ").replaceAll(" ,", ",")).join(" ");
  const [left, right, ...more] = line.split("->");
  if (right === undefined || more.length)
    return `line '${plain}': expected exactly one '->', got ${more.length + (right !== undefined)}`;
  if (/[^\p{L}\p{N}_\s,.()]/u.test(left + right))
    return "A line has letters, spaces, commas, parentheses and one `->` only.";
  if (right.includes(","))
    return "A line has one output: there is no comma to the right of `->`.";
  const terms = left.split(",").map((term) => term.trim());
  if (terms.length !== inputs.length) {
    const why = terms.length < inputs.length
      ? "is a comma missing?" : "a comma separates inputs, not letters.";
    const some = `${terms.length} input${terms.length === 1 ? "" : "s"}`;
    return `The line has ${some}, and ${inputs.length} are given: ${why}`;
  }
  const ranks = inputs.map(([, axes]) => axes.length);
  if (Math.max(...ranks) > 1
    && terms.every((term, at) => /^[a-zA-Z]+$/.test(term) && term.length === ranks[at])) {
    const long = terms.find((term) => term.length === Math.max(...ranks));
    const spaced = terms.map((term) => [...term].join(" ")).join(", ");
    return "Between letters there are spaces; "
      + `\`${long}\` is one letter with a long name.\n`
      + `With spaces it is \`${spaced} -> ${[...right.trim()].join(" ")}\`.`;
  }
  if (kind !== "Recipe") return "";
  for (const term of [...left.split(","), right].map(words))
    for (const name of term) {
      if (name !== "..." && !isLetter(name))
        return `recipe '${plain}': expected letters or '...', got '${name}' `
          + "(split and merge axes with rearrange, before or after)";
      if (term.indexOf(name) !== term.lastIndexOf(name))
        return `recipe '${plain}': letter '${name}' stands twice in `
          + `'${term.join(" ")}'; a diagonal is no recipe`;
    }
  const unknown = words(right).find((name) => !terms.flatMap(words).includes(name));
  return unknown ? `recipe '${plain}': letter '${unknown}' of the output is in no input` : "";
};

// A line as lists of letters, `...` spelled out; nothing, if it cannot run at all.
const read = (line, { kind, inputs, numbers }) => {
  const terms = line.split(/,|->/);
  if (kind === "Rearrange" && terms[0].trim() === terms[1].trim()) {
    const all = inputs[0][1].map((_, at) => [at]); // whatever they are called
    return { ins: [all], out: all };
  }
  const given = terms.map((side) => split(side).map(words));
  const right = given.pop();
  const rest = given.map((axes, at) =>
    axes.some(([name]) => name === "...") ? inputs[at][1].length - axes.length + 1 : null);
  const [many = null, ...other] = unique(rest.filter((n) => n !== null));
  if (other.length || many < 0) return null;
  const more = [...Array(many ?? 0).keys()].map((at) => `...${at}`);
  const spell = (axes) => axes.flatMap((axis) => (same(axis, ["..."]) ? more.map((n) => [n])
    : [axis.flatMap((name) => (name === "..." ? more : name === "1" ? [] : [name]))]));
  const [ins, out] = [given.map(spell), spell(right)];
  if (ins.some((axes, at) => axes.length !== inputs[at][1].length)) return null;
  if (kind === "Recipe") return { ins, out };
  const [from, to] = [ins.flat(2), out.flat()];
  const names = terms.flatMap((side) => words(side.replace(/\(([^()]*)\)/g, " $1 ")));
  const fine = names.every((n) => n === "1" || n === "..." || (isLetter(n) && !/^_|_$/.test(n)))
    && same(sorted(from), sorted(to)) && unique(from).length === from.length
    && numbers.every((n) => from.includes(n))
    && (many === null) === !terms[1].includes("...") && !/\([^)]*\.\.\./.test(terms[0]);
  return fine ? { ins, out } : null;
};

// The same for all lines that do the same: letters are numbered as they come.
const canonical = (line, exercise) => {
  const lists = read(line, exercise);
  const names = new Map(exercise.numbers.map((n) => [n, n]));
  const name = (n) => names.get(n) ?? names.set(n, names.size).get(n);
  return lists && JSON.stringify([...lists.ins, lists.out].map((x) => x.map((y) => y.map(name))));
};

const sizesOf = (axes, sizes) => axes.map((axis) => times(words(axis).map((n) => sizes[n] ?? 1)));

// The shape of what a line makes where all sizes differ; nothing, if it does not run.
const made = (line, exercise) => {
  const lists = read(line, exercise);
  if (!lists) return null;
  const sizes = Object.fromEntries(exercise.numbers.map((n) => [n, exercise.sizes[n]]));
  for (const [at, axes] of lists.ins.entries()) {
    const wanted = sizesOf(exercise.inputs[at][1], exercise.sizes);
    for (const [k, axis] of axes.entries()) {
      const open = axis.filter((n) => !(n in sizes));
      const rest = wanted[k] / times(axis.filter((n) => n in sizes).map((n) => sizes[n]));
      if (open.length > 1 || !Number.isInteger(rest) || (!open.length && rest !== 1)) return null;
      if (open.length) sizes[open[0]] = rest;
    }
  }
  return lists.out.map((axis) => times(axis.map((n) => sizes[n])));
};

// What a line says that the contract does not.
const says = (line, { kind, inputs, output, numbers }) => {
  const terms = line.split(/,|->/).map(split);
  const right = terms.pop();
  if (terms.some((term) => term.includes("..."))) return "";
  let told = [];
  const met = []; // a letter, that of the contract, and the input
  for (const [at, [name, axes]] of inputs.entries()) {
    if (terms[at].length !== axes.length)
      return `${name} has ${axes.length} axes, and the line gives it ${terms[at].length}.`;
    for (const [k, axis] of axes.entries()) {
      const [own, given] = [terms[at][k], words(terms[at][k])];
      let asked = words(axis);
      if (given.length === 1 && asked.length > 1) {
        told.push(`\`${own}\` of ${name} is to be split into (${axis}).`);
        continue;
      }
      if (asked.length === 1 && given.length > 1)
        return `\`(${own})\` stands where ${name} has ${axis}, which is not split.`;
      if (asked.length !== given.length) return "";
      if (!same(given, asked) && same(sorted(given), sorted(asked))
        && asked.some((n) => numbers.includes(n))) {
        told.push(`${name} is split as (${own}); its order is (${axis}).`);
        asked = given;
      }
      given.forEach((by, j) => met.push([by, asked[j], name]));
    }
  }
  told.push(...clashes(met.filter(([by]) => !/^\d+$/.test(by))));
  if (!told.length)
    told = numbers.filter((n) => !met.some(([by]) => by === n))
      .map((n) => `The size of ${n} is given by its name, and the line has no \`${n}\`.`);
  return told.join("\n") || differs(right, output[1], met, kind === "Recipe" ? "summed" : "lost");
};

const clashes = (met) => {
  const told = [];
  for (const by of unique(met.map(([own]) => own))) {
    const both = unique(met.filter(([own]) => own === by).map(([, n, name]) => [n, name]));
    const where = both.slice(0, 2).map(([n, name]) => `${n} of ${name}`).join(" and ");
    if (new Set(both.map(([n]) => n)).size > 1)
      told.push(`\`${by}\` stands for two axes, ${where}: they walk together.`);
  }
  for (const letter of unique(met.map(([, n]) => n))) {
    const both = unique(met.filter(([, n]) => n === letter).map(([by, , name]) => [by, name]));
    const where = both.slice(0, 2).map(([by, name]) => `\`${by}\` in ${name}`).join(" and ");
    if (new Set(both.map(([by]) => by)).size > 1)
      told.push(`The axis ${letter} has two letters, ${where}: each then meets every other.`);
  }
  return told;
};

const differs = (axes, wanted, met, lost) => {
  const asAsked = new Map(met.map(([by, letter]) => [by, letter]));
  const back = new Map([...asAsked].map(([by, letter]) => [letter, by]));
  const by = (n) => back.get(n) ?? n;
  const own = axes.map((axis) => words(axis).map((n) => asAsked.get(n) ?? n));
  const asked = wanted.map(words);
  const [flat, right] = [own, asked].map((x) => x.flat().filter((n) => n !== "1"));
  const told = right.filter((n) => !flat.includes(n))
    .map((n) => `\`${by(n)}\` is not on the right, so it is ${lost}; keep it.`);
  for (const n of flat.filter((n) => !right.includes(n)))
    told.push(back.has(n) ? `\`${by(n)}\` is still on the right; it is to be summed.`
      : `\`${n}\` of the output is in no input.`);
  if (told.length || same(own, asked)) return told.join("\n");
  const text = (list) => list.map((axis) => axis.map(by).join(" "))
    .map((n) => (n.includes(" ") ? `(${n})` : n || "1")).join(" ");
  if (!same(sorted(own.map((x) => sorted(x).join(" "))), sorted(asked.map((x) => sorted(x).join(" ")))))
    return `The output is ${text(own)}; asked for is ${text(asked)}.`;
  const at = own.findIndex((axis, k) =>
    k < asked.length && !same(axis, asked[k]) && same(sorted(axis), sorted(asked[k])));
  return at < 0 ? `The axes of the output come as ${text(own)}; asked for is ${text(asked)}.`
    : `${text([own[at]])} is merged in another order: it is to be ${text([asked[at]])}, `
      + "where the last runs fastest.";
};

const judgeLine = (exercise, text) => {
  const line = text.replace(/^\s*(?:\w+\()?(["'])(.*)\1\)?\s*$/, "$2");
  const fault = written(line, exercise);
  if (fault) return fault;
  const form = canonical(line, exercise);
  if (form && form === canonical(exercise.right, exercise)) return true;
  const known = exercise.mistakes.filter(([wrong]) => form && form === canonical(wrong, exercise));
  const told = [known.map(([, said]) => said).join("\n") || says(line, exercise)];
  const { inputs, output: [name, axes], sizes } = exercise;
  const given = inputs.map(([n, own]) => `${n} ${shape(sizesOf(own, sizes))}`).join(", ");
  const [got, expected] = [made(line, exercise), sizesOf(axes, sizes)];
  if (!got) told.push(`For ${given}, it raises an error.`);
  else if (!same(got, expected))
    told.push(`For ${given}, the shape of the ${name} is wrong:\nexpected `
      + `(${axes.map((axis) => axis.replaceAll(" ", "·")).join(", ")}) = ${shape(expected)}, got ${shape(got)}.`);
  else if (!told[0]) told.push("The shape is right, and the numbers are not.");
  return told.filter(Boolean).join("\n");
};

// ---- The forms

const ASKED = {
  int: "a whole number, or how it is computed",
  float: "a number, or how it is computed",
  tuple: "numbers, with commas between them",
  frozenset: "letters, with spaces between them",
  str: "a text, in quotes",
};
const ANSWERS = "layers-answers"; // what was typed, by exercise
const typed = { ...kept(ANSWERS) };

const make = (tag, more, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};

for (const place of document.querySelectorAll("div.answer")) {
  const { name } = place.dataset;
  const exercise = JSON.parse(atob(place.dataset.exercise));
  const judge = (text) => (exercise.inputs ? judgeLine : judgeValue)(exercise, text);
  const heading = place.closest("section")?.querySelector("h2, h3, h4");
  const label = make("label", { htmlFor: `answer-${name}` },
    `Your answer: ${ASKED[exercise.kind] ?? "a line of letters"}`);
  const input = make("input", { id: label.htmlFor, autocomplete: "off", spellcheck: false,
    autocapitalize: "none" });
  const verdict = make("p", { id: `verdict-${name}`, className: "verdict" });
  verdict.setAttribute("aria-live", "polite");
  const solved = make("span", { className: "solved", textContent: "✓" });
  solved.setAttribute("role", "img");
  solved.setAttribute("aria-label", "solved");
  const mark = (right) => {
    // On a page of exercises each heading is one; elsewhere a section has more in it.
    const own = heading && location.pathname.includes("/exercises/") ? heading : label;
    if (right) own.insertBefore(solved, own.querySelector(".headerlink"));
    else solved.remove();
  };
  const form = make("form", {}, label,
    make("div", {}, input, make("button", { className: "plain" }, "Check")), verdict);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = input.value.trim() ? judge(input.value) : "Write your answer into the field.";
    const right = said === true;
    // What stands between ` is code; each second piece of the text.
    const pieces = right ? [] : said.split("`").map((piece, at) =>
      (at % 2 ? make("code", {}, piece) : piece));
    verdict.replaceChildren(make("strong", {}, right ? "✓ Right." : "Not yet."), " ", ...pieces);
    verdict.classList.toggle("right", right);
    mark(right);
    typed[name] = input.value;
    keep(ANSWERS, typed);
  });
  input.value = typed[name] ?? "";
  mark(input.value && judge(input.value) === true);
  input.setAttribute("aria-describedby", verdict.id);
  place.append(form);
}
})();
