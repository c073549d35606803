// The search of the book. A page loads only this file; what is searched in
// (search-data.js, written while the book is built) and MiniSearch come when a search
// field gets the focus. `await bookSearch.find("align_corners")` gives the sections that
// answer, best first.

const bookSearch = (() => {
  "use strict";

  // ---- How sections are ranked: a word in a heading says more than one in the text.
  const BOOST = { heading: 6, told: 4, topic: 2, names: 1, prose: 1, code: 1 };
  // What a section is about: its page, and names of torch. How many they are, as on a
  // page with thirty layers, does not matter.
  const ABOUT = { subjects: 4, page: 2 };
  const KIND = { story: 1, reference: 0.97, api: 0.5, exercises: 0.55 };
  const SYNONYM = 0.5; // what a synonym counts, next to the word that was typed
  const GENERAL = 0.7; // a section with a heading that many pages have
  const BEGINNING = 0.35; // what a longer word counts that begins like the last one
  const SHOWN = 8; // as one types; the page of the search shows more
  const POWER = 0.8; // below 1: a little of each word is better than much of a single one
  const CONSIDERED = 250;

  const STOP = new Set(
    ("a an and are as at be been but by can could did do does for from get gets had has " +
      "have how i if in into is it its just may me my of on one or our shall should so " +
      "such than that the their then there these they this to use used using was we were " +
      "what when where which who why will with would you your every time model")
      .split(" "),
  );
  // The same in every error: they say nothing about which one it is.
  const ERROR = /\b(Runtime|Value|Type|Index|Assertion|NotImplemented)Error\b:?/g;

  const root = document.documentElement.dataset.content_root ?? "./";
  let stemmer;

  // ---- Words

  // "Conv2d" is found as conv2d, conv and 2d; "kernel_size" as kernel_size, kernel, size.
  const parts = (word) =>
    word
      .split(/_|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d+d\b)/)
      .filter((part) => part.length > 1);
  const words = (text) => text.normalize("NFC").match(/[\p{L}\p{N}_]+/gu) ?? [];
  const isName = (word) => /_|\d|[a-z][A-Z]/.test(word);
  const stem = (word) => {
    const low = word.toLowerCase();
    return low.length < 4 || /[^a-z]/.test(low) ? low : stemmer(low);
  };
  const tokens = (text) =>
    words(text).flatMap((word) => {
      if (STOP.has(word.toLowerCase())) return [];
      if (!isName(word)) return /^\d+$/.test(word) ? [] : [stem(word)];
      const whole = word.toLowerCase().replace(/^_+|_+$/g, "");
      const plain = whole.replace(/\d+d$/, "");
      const all = [whole, plain, ...parts(word).map(stem)];
      return [...new Set(all)].filter((token) => token.length > 1);
    });

  // ---- What is searched in

  let loading, sections, synonyms, index;
  const headings = new Map(); // how many sections have this heading
  const vocabulary = new Map(); // each word, and how often it is used

  const script = (file) =>
    new Promise((done, failed) => {
      const element = document.createElement("script");
      element.src = `${root}_static/${file}`;
      element.onload = done;
      element.onerror = () => failed(new Error(`${file} could not be loaded`));
      document.head.append(element);
    });

  const load = (data, porter) => {
    stemmer = (word) => porter.stemWord(word);
    const subjects = new Map();
    for (const section of data.sections)
      if (!section.anchor) subjects.set(section.page, section.subjects);
    const more = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
    sections = data.sections.map((section, id) => {
      if (section.heading) more(headings, section.heading);
      const texts = [section.heading, section.title, ...section.prose, ...section.names];
      for (const word of words(texts.join(" "))) more(vocabulary, word.toLowerCase());
      return {
        ...section,
        heading: section.heading || section.title,
        topic: section.anchor ? section.topic : "",
        about: section.anchor
          ? { subjects: section.subjects, page: subjects.get(section.page) }
          : { subjects: section.subjects, page: [] },
        id,
        url: `${section.page}.html${section.anchor && "#" + section.anchor}`,
      };
    });
    synonyms = data.synonyms.flatMap(([phrases, also]) => {
      for (const word of words(phrases.join(" ") + " " + also))
        more(vocabulary, word.toLowerCase());
      return phrases.map((phrase) => [words(phrase).map(stem), tokens(also)]);
    });
    index = new MiniSearch({
      fields: [...Object.keys(BOOST), ...Object.keys(ABOUT)],
      tokenize: tokens,
      processTerm: (token) => token,
      extractField: (section, field) => {
        const value = (field in ABOUT ? section.about : section)[field];
        return Array.isArray(value) ? value.join(" ") : value;
      },
    });
    return index.addAllAsync(sections, { chunkSize: 40 });
  };

  let filled;
  const ready = () =>
    (loading ??= script("minisearch/minisearch.js")
      .then(() => script("search-data.js"))
      .then(() => filled));

  // ---- A query

  const memory = new Map();
  const lookUp = (token, options = {}) => {
    const key = token + JSON.stringify(options);
    if (!memory.has(key)) {
      const found = new Map();
      for (const [boost, b] of [[BOOST, 0.7], [ABOUT, 0]])
        for (const { id, score, terms } of index.search(token, {
          tokenize: (text) => [text],
          fields: Object.keys(boost),
          bm25: { k: 1.2, b, d: 0.5 },
          boost,
          ...options,
        })) {
          const before = found.get(id) ?? { score: 0, terms: [] };
          const all = [...before.terms, ...terms];
          found.set(id, { score: before.score + score, terms: all });
        }
      memory.set(key, found);
    }
    return memory.get(key);
  };

  // The word that was meant: itself, if the book has it or one that begins so.
  const spelt = (word, n, all) => {
    const low = word.toLowerCase();
    const last = n === all.length - 1;
    if (low.length < 4 || /\d/.test(low) || lookUp(stem(low), { prefix: last }).size)
      return word;
    let best = [low.length > 7 ? 3 : 2, 0, word]; // how far at least, how often, which
    for (const [known, often] of vocabulary) {
      const far = distance(low, known, best[0]);
      if (far < best[0] || (far === best[0] && often > best[1] && best[1]))
        best = [far, often, known];
    }
    return best[2];
  };

  // How many letters are added, left out, changed or exchanged with the next; or `most`.
  const distance = (a, b, most) => {
    if (Math.abs(a.length - b.length) > most) return most + 1;
    let [before, row] = [[], Array.from({ length: b.length + 1 }, (_, n) => n)];
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        const same = a[i - 1] === b[j - 1] ? 0 : 1;
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same);
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
          next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      [before, row] = [row, next];
    }
    return row[b.length];
  };

  // What is looked for: for each word that was typed, it and what may stand for it.
  const asked = (query) => {
    const typed = words(query.replace(ERROR, " ")).map(spelt);
    const stems = typed.map(stem);
    const groups = [];
    typed.forEach((word, n) => {
      if (STOP.has(word.toLowerCase()) || (/^\d+$/.test(word) && typed.length > 1)) return;
      const whole = stem(word.replace(/^_+|_+$/g, ""));
      if (whole.length < 2 && typed.length > 1) return;
      const group = { at: n, tokens: [[whole, 1]], last: n === typed.length - 1, word };
      const plain = whole.replace(/\d+d$/, ""); // Conv2d is told about as Conv, too
      if (plain !== whole && plain) group.tokens.push([plain, 0.8]);
      groups.push(group);
    });
    // Two words that are one name: "batch norm", "pixel shuffle".
    groups.slice(1).forEach((group, n) => {
      const before = groups[n];
      const joined = before.word.toLowerCase() + group.word.toLowerCase();
      if (group.at === before.at + 1 && lookUp(joined).size) {
        before.tokens.push([joined, 1]);
        group.tokens.push([joined, 1]);
      }
    });
    for (const [phrase, also] of synonyms) {
      const at = stems.findIndex((_, n) => phrase.every((s, k) => stems[n + k] === s));
      if (at < 0) continue;
      for (const group of groups)
        if (group.at >= at && group.at < at + phrase.length)
          for (const token of also) group.tokens.push([token, SYNONYM]);
    }
    return groups;
  };

  // The scores of one word: the best of it, its synonyms, its beginnings.
  const scored = (group) => {
    const best = new Map(); // section: [score, the words that were found]
    const take = (hits, weight) => {
      for (const [id, hit] of hits) {
        const before = best.get(id);
        const score = Math.max(before?.[0] ?? 0, hit.score * weight);
        best.set(id, [score, [...(before?.[1] ?? []), ...hit.terms]]);
      }
    };
    const [[whole]] = group.tokens;
    const exact = lookUp(whole);
    take(exact, 1);
    group.count = exact.size;
    if (group.last && whole.length > 1) {
      const longer = lookUp(whole, { prefix: true });
      take(longer, exact.size ? BEGINNING : 0.9);
      if (!group.count) group.count = longer.size;
    }
    if (!exact.size) {
      const pieces = parts(group.word).map(stem);
      if (pieces.length > 1) pieces.forEach((piece) => take(lookUp(piece), 0.6));
    }
    for (const [token, weight] of group.tokens.slice(1)) take(lookUp(token), weight);
    group.count ||= best.size;
    return best;
  };

  // Which two and three words of the query stand side by side in a text. Numbers are left
  // out: in an error that is pasted they are other ones.
  const neighbors = (text) => {
    const all = words(text).filter((word) => !/^\d/.test(word)).map(stem);
    const pairs = all.slice(1).map((token, n) => `${all[n]} ${token}`);
    return [...pairs, ...pairs.slice(1).map((pair, n) => `${all[n]} ${pair}`)];
  };
  const side = (asked, text) => {
    if (!memory.has(text)) memory.set(text, new Set(neighbors(text)));
    const found = memory.get(text);
    return asked.filter((pair) => found.has(pair)).length / (asked.length || 1);
  };

  const find = async (query) => {
    await ready();
    const groups = asked(query);
    const results = new Map();
    let all = 0;
    for (const group of groups) {
      const best = scored(group);
      // A word that is everywhere says little; one that is nowhere does not count.
      const rare = group.count ? Math.log(1 + sections.length / group.count) : 0;
      all += rare;
      for (const [id, [score, terms]] of best) {
        const result = results.get(id) ?? { id, score: 0, covered: 0, terms: new Set() };
        result.score += score ** POWER;
        result.covered += rare;
        terms.forEach((term) => result.terms.add(term));
        results.set(id, result);
      }
    }
    const ranked = [...results.values()];
    for (const result of ranked) {
      const section = sections[result.id];
      result.score *= KIND[section.kind] * (0.15 + 0.85 * (result.covered / all) ** 2);
      if (headings.get(section.heading) > 4) result.score *= GENERAL;
    }
    ranked.sort((a, b) => b.score - a.score || a.id - b.id);
    const beside = neighbors(query.replace(ERROR, " "));
    // A sentence that is found as it was typed: most often it is an error.
    const weight = beside.length > 4 ? 4 : 1;
    const first = ranked.slice(0, CONSIDERED);
    for (const result of first) {
      const { heading, told, prose, code } = sections[result.id];
      const near = Math.max(
        side(beside, heading),
        side(beside, told.join(" ")),
        0.9 * side(beside, prose.join(" ")),
        0.9 * side(beside, code.join(" ")),
      );
      result.score *= 1 + weight * near ** 2;
    }
    first.sort((a, b) => b.score - a.score || a.id - b.id);
    return first.map((result) => ({ ...sections[result.id], ...result }));
  };

  // ---- What is shown of a section

  const escaped = (text) =>
    text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const hits = (text, terms) =>
    words(text).filter((word) => tokens(word).some((token) => terms.has(token)));
  const marked = (text, terms) =>
    text
      .split(/([\p{L}\p{N}_]+)/u)
      .map((piece, n) =>
        n % 2 && tokens(piece).some((token) => terms.has(token))
          ? `<mark>${escaped(piece)}</mark>`
          : escaped(piece),
      )
      .join("");

  // The stretch of prose with the most different words that were found.
  const excerpt = ({ prose, code, terms }) => {
    const lines = code.flatMap((text) => text.split("\n"));
    let best = [-1, ""];
    for (const text of [...prose, ...lines]) {
      const sentences = text.match(/.{1,160}(?:\s|$)/gs) ?? [text];
      for (const sentence of sentences) {
        const found = new Set(hits(sentence, terms).map((word) => stem(word)));
        const isCode = best[0] >= 0 && !prose.includes(text) ? 0.5 : 0;
        if (found.size - isCode > best[0]) best = [found.size - isCode, sentence];
      }
    }
    return best[1].trim();
  };

  // Where a hit leads: to the section, with the words to be marked there.
  const href = (hit) => {
    const text = [hit.heading, ...hit.prose, ...hit.code].join(" ");
    const found = [...new Set(hits(text, hit.terms).map((word) => word.toLowerCase()))];
    const mark = found.slice(0, 12).map(encodeURIComponent).join("+");
    return `${root}${hit.page}.html?mark=${mark}${hit.anchor && "#" + hit.anchor}`;
  };

  const KINDS = {
    story: "", reference: "reference", exercises: "exercises",
    api: "API",
  };
  const shown = (hit) => {
    const where = hit.anchor ? hit.title : KINDS[hit.kind];
    return (
      `<span class="found-heading">${marked(hit.heading, hit.terms)}</span>` +
      (where ? `<span class="found-page">${escaped(where)}</span>` : "") +
      `<span class="found-text">${marked(excerpt(hit), hit.terms)}</span>`
    );
  };

  // ---- The field: a combobox whose list holds the sections

  let fields = 0;
  const enhance = (form) => {
    const input = form.querySelector("input[name=q]");
    const id = `book-search-${fields++}`;
    const list = document.createElement("div");
    const said = document.createElement("p");
    Object.assign(list, { id, className: "found", hidden: true });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Sections");
    Object.assign(said, { className: "found-said" });
    said.setAttribute("role", "status");
    form.after(said, list);
    const attributes = {
      role: "combobox",
      "aria-expanded": "false",
      "aria-controls": id,
      "aria-autocomplete": "list",
      "aria-haspopup": "listbox",
    };
    for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);

    let active = -1;
    const choose = (n) => {
      const options = [...list.children];
      active = options.length ? (n + options.length) % options.length : -1;
      options.forEach((option, k) => option.setAttribute("aria-selected", k === active));
      if (active < 0) input.removeAttribute("aria-activedescendant");
      else {
        input.setAttribute("aria-activedescendant", options[active].id);
        options[active].scrollIntoView({ block: "nearest" });
      }
    };
    const open = (is) => {
      list.hidden = !is;
      input.setAttribute("aria-expanded", is);
      if (!is) choose(-1), (active = -1), input.removeAttribute("aria-activedescendant");
    };

    let asked = 0;
    const type = async () => {
      const mine = ++asked;
      const query = input.value.trim();
      if (!query) {
        open(false);
        said.textContent = "";
        return;
      }
      try {
        const found = await find(query);
        if (mine !== asked) return; // something else was typed meanwhile
        list.innerHTML = found
          .slice(0, SHOWN)
          .map((hit, n) => {
            const option = `id="${id}-${n}" role="option" aria-selected="false"`;
            return `<a ${option} tabindex="-1" href="${escaped(href(hit))}">${shown(hit)}</a>`;
          })
          .join("");
        active = -1;
        input.removeAttribute("aria-activedescendant");
        open(found.length > 0);
        said.textContent = count(found, SHOWN);
      } catch (error) {
        said.textContent = `The search does not work: ${error.message}.`;
      }
    };

    input.addEventListener("focus", () => ready().catch(() => {}));
    input.addEventListener("input", type);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && !list.hidden) {
        event.preventDefault();
        choose(active < 0 && step < 0 ? -1 : active + step);
      } else if (event.key === "Enter" && active >= 0) {
        event.preventDefault();
        list.children[active].click();
      } else if (event.key === "Escape" && !list.hidden) {
        event.preventDefault(); // the list first, then the dialog
        event.stopPropagation();
        open(false);
      }
    });
    list.addEventListener("click", (event) => {
      if (event.target.closest("a")) form.closest("dialog")?.close();
    });
    form.addEventListener("submit", (event) => {
      if (!input.value.trim()) event.preventDefault();
    });
  };

  const count = (found, most) => {
    if (!found.length) return "Nothing found. Try fewer or other words.";
    const number = Math.min(found.length, most);
    return number === 1 ? "One section found." : `The best ${number} sections:`;
  };

  // ---- The page of the search

  const answer = async () => {
    const target = document.getElementById("search-results");
    const query = new URLSearchParams(location.search).get("q")?.trim();
    if (!target || !query) return;
    const input = document.querySelector(".book-search input[name=q]");
    input.value = query;
    document.getElementById("search-contents").hidden = true;
    target.setAttribute("aria-busy", "true");
    try {
      const found = await find(query);
      const items = found
        .slice(0, 30)
        .map((hit) => `<li><a href="${escaped(href(hit))}">${shown(hit)}</a></li>`);
      target.innerHTML = `<p role="status">${count(found, 30)}</p><ol>${items.join("")}</ol>`;
      if (!found.length) document.getElementById("search-contents").hidden = false;
    } catch (error) {
      target.innerHTML = `<p role="alert">The search does not work: ${error.message}.</p>`;
    }
    target.removeAttribute("aria-busy");
  };

  // ---- The page one lands on: the words are marked in the section, until Escape

  const markLanding = () => {
    const marks = new URLSearchParams(location.search).get("mark");
    if (!marks) return;
    const anchor = decodeURIComponent(location.hash.slice(1));
    const target = anchor && document.getElementById(anchor);
    const place = target
      ? (target.closest("dl.py") ?? target.closest("section"))
      : document.querySelector("article section, article");
    if (!place) return;
    const found = new Set(marks.split(" "));
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const inside = text.parentElement.closest("section, script, style, svg, mjx-container");
      // Without a section to land on, only what stands before the first one below.
      if (inside !== place && !place.matches("article, dl")) continue;
      const pieces = text.data.split(/([\p{L}\p{N}_]+)/u);
      if (!pieces.some((piece) => found.has(piece.toLowerCase()))) continue;
      text.replaceWith(
        ...pieces.map((piece) => {
          if (!found.has(piece.toLowerCase())) return piece;
          const mark = document.createElement("mark");
          mark.className = "found";
          mark.textContent = piece;
          return mark;
        }),
      );
    }
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      document.querySelectorAll("mark.found").forEach((m) => m.replaceWith(...m.childNodes));
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("form.bd-search").forEach(enhance);
    answer();
    markLanding();
  });

  return {
    find,
    load: (...all) => {
      filled = load(...all);
    },
  };
})();
