// What the theme leaves to be desired, in the browser.

// Sphinx's search reads each page that it found to show a few of its words; a page that
// was opened from a folder may not read another one.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// On a phone a long line of code is folded, and goes on two letters further in. Pygments
// closes each of its elements at the end of a line. This is done at once, before the page
// has a layout to be done again.
const foldCode = () => {
  if (!matchMedia("screen and (max-width: 600px)").matches) return;
  for (const code of document.querySelectorAll(".cell_input pre:not(.folded)")) {
    const lines = code.innerHTML.replace(/\n$/, "").split("\n");
    const texts = code.textContent.split("\n");
    code.innerHTML = lines
      .map((line, at) => [`class="code-line" style="--indent:${texts[at].search(/\S|$/)}"`, line])
      .map(([how, line]) => `<span ${how}>${line}\n</span>`)
      .join("");
    code.classList.add("folded");
  }
};
foldCode();
window.addEventListener("resize", foldCode);

// What is wider than its place scrolls by itself, and book.css draws a shadow where it
// goes on, but for what fits. The keyboard must reach what scrolls, and each piece of code
// is a stop of the Tab key, for its copy button. The browser tells of each width once it is
// known, so that nothing far below has to be laid out for that.
const WIDE = "pre, .output, div.math, .pst-scrollable-table-container";
const widths = new ResizeObserver((changed) => {
  const fits = changed.map(({ target: e }) => e.scrollWidth <= e.clientWidth);
  changed.forEach(({ target: e }, at) => {
    e.classList.toggle("fits", fits[at]);
    if (!fits[at] || e.parentElement.querySelector(":scope > button.copybtn")) e.tabIndex = 0;
    else e.removeAttribute("tabindex");
  });
});

// A copy button becomes a stop of the Tab key while its code has the focus.
window.addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.copybtn")) {
    const code = button.parentElement;
    button.tabIndex = -1;
    code.querySelector("pre").tabIndex = 0; // also far below, where no width is known
    code.addEventListener("focusin", () => (button.tabIndex = 0));
    code.addEventListener("focusout", (event) => {
      if (!code.contains(event.relatedTarget)) button.tabIndex = -1;
    });
  }
  for (const e of document.querySelectorAll(`.bd-article :is(${WIDE})`)) widths.observe(e);
});

// The Contents say which section one reads: the last one whose heading has passed the
// upper third of the window, or the one that was jumped to, while it is in sight.
const followReader = () => {
  const links = [...document.querySelectorAll("#pst-page-toc-nav a[href^='#']")];
  const target = (link) => document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const sections = links.map((link) => [link, target(link)]).filter(([, e]) => e);
  if (!sections.length) return;
  let jumped = null; // to a section too near to the end to come to the top
  // Sections in the one that is read are asked, and no others: what is far from the window
  // has no layout.
  const passed = (inside) =>
    sections
      .filter(([, e]) => e.parentElement.closest("section[id]") === inside)
      .filter(([, e]) => e.getBoundingClientRect().top < innerHeight / 3)
      .at(-1);
  const mark = () => {
    let [here, section] = [null, document.querySelector(".bd-article > section")];
    for (let next; (next = passed(section)); ) [here, section] = next;
    here = jumped ?? here;
    for (const [link] of sections) {
      if (link !== here) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "location");
        const list = link.closest(".bd-sidebar-secondary");
        const [box, frame] = [link, list].map((e) => e.getBoundingClientRect());
        if (box.top < frame.top || box.bottom > frame.bottom)
          list.scrollTop += box.top - frame.top - frame.height / 2;
      }
    }
  };
  const jump = () => {
    jumped = sections.find(([link]) => link.hash === location.hash)?.[0] ?? null;
    mark();
  };
  const go = () => {
    jumped = null;
    mark();
  };
  addEventListener("scroll", mark, { passive: true });
  for (const moves of ["wheel", "touchmove", "keydown"])
    addEventListener(moves, go, { passive: true });
  addEventListener("hashchange", jump);
  for (const [link] of sections) link.addEventListener("click", () => setTimeout(jump));
  jump();
};

// The sidebar begins at its top, and goes down only as far as the page's own entry.
const beginSidebar = () => {
  const bar = document.querySelector(".bd-sidebar-primary");
  const here = [...document.querySelectorAll(".bd-docs-nav a.current")].at(-1);
  if (!bar || sessionStorage.getItem("sidebar-scroll-top") !== null) return;
  bar.scrollTop = 0;
  if (!here) return;
  const below = here.getBoundingClientRect().bottom - bar.getBoundingClientRect().bottom;
  if (below > 0) bar.scrollTop = below + 32;
};

// What was read is kept in the browser, and nowhere else: a story whose end was reached.
const READ = "layers-read";
const kept = (key) => {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? null;
  } catch {
    return null; // a browser may keep nothing, or something else under this name
  }
};
const keep = (key, value) => {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // then it is forgotten with the page
  }
};
const story = (url) => /\/chapters\/(\w+)\.html$/.exec(new URL(url, location).pathname)?.[1];
const showProgress = () => {
  const links = [...document.querySelectorAll(".bd-docs-nav a, dl.contents a")];
  const stories = new Set(links.map((link) => story(link.href)).filter(Boolean));
  const here = story(location.href);
  const read = new Set([kept(READ)].flat().filter((name) => stories.has(name)));
  const line = document.createElement("p");
  line.className = "progress-read d-print-none";
  const said = line.appendChild(document.createElement("span"));
  const show = () => {
    said.textContent = `${read.size} of ${stories.size} stories read`;
    for (const link of links) {
      const done = read.has(story(link.href));
      link.classList.toggle("story-read", done);
      if (done) link.title = "read";
      else link.removeAttribute("title");
    }
  };
  const contents = document.querySelector("dl.contents");
  if (contents) contents.before(line);
  if (stories.has(here)) {
    const end = document.querySelector(".prev-next-footer");
    const button = line.appendChild(document.createElement("button"));
    button.className = "plain";
    const set = (done) => {
      read[done ? "add" : "delete"](here);
      keep(READ, [...read]);
      button.textContent = done ? "Mark as not read" : "Mark as read";
      show();
    };
    button.textContent = read.has(here) ? "Mark as not read" : "Mark as read";
    button.addEventListener("click", () => set(!read.has(here)));
    end.before(line);
    if (!read.has(here)) {
      const reached = new IntersectionObserver(([seen]) => {
        if (!seen.isIntersecting) return;
        reached.disconnect();
        set(true);
      });
      reached.observe(end);
    }
  }
  show();
};

// Keys of one letter, which one can turn off, as WCAG 2.1.4 asks.
const KEYS = "layers-keys";
const listenToKeys = () => {
  const follow = (which) => document.querySelector(`.prev-next-area a.${which}`)?.click();
  const keys = {
    "/": ["Search the book", () => document.querySelector(".search-button__button")?.click()],
    n: ["Next page", () => follow("right-next")],
    p: ["Previous page", () => follow("left-prev")],
    "?": ["These keys", () => dialog.showModal()],
  };
  const dialog = document.body.appendChild(document.createElement("dialog"));
  dialog.className = "keys";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const rows = Object.entries(keys).map(([k, [what]]) => `<dt><kbd>${k}</kbd></dt><dd>${what}</dd>`);
  dialog.innerHTML = `<h2 id="keys-title">Keys</h2><dl>${rows.join("")}
    <dt><kbd>Esc</kbd></dt><dd>Close what is open</dd></dl>
    <label><input type="checkbox"> Keys of one letter are on</label>
    <form method="dialog"><button class="plain">Close</button></form>`;
  const on = dialog.querySelector("input");
  on.checked = kept(KEYS) ?? true;
  on.addEventListener("change", () => keep(KEYS, on.checked));
  const opens = document.createElement("button");
  opens.className = "plain d-print-none";
  opens.textContent = "Keys";
  opens.addEventListener("click", keys["?"][1]);
  document.querySelector(".footer-content-items")?.append(opens);
  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    if (!Object.hasOwn(keys, event.key) || event.defaultPrevented) return;
    event.preventDefault();
    keys[event.key][1]();
  });
};

// All that a page has of Bootstrap, whose script is left out: tips, a menu, a way back.
const replaceBootstrap = () => {
  for (const e of document.querySelectorAll("[data-bs-title]")) e.title = e.dataset.bsTitle;
  for (const button of document.querySelectorAll("[data-bs-toggle='dropdown']")) {
    const area = button.parentElement;
    const open = (is) => {
      button.classList.toggle("show", is);
      button.setAttribute("aria-expanded", is);
    };
    button.addEventListener("click", () => open(!button.classList.contains("show")));
    area.addEventListener("focusout", ({ relatedTarget }) => area.contains(relatedTarget) || open(false));
    area.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape") return;
      open(false);
      button.focus();
    });
    document.addEventListener("click", ({ target }) => area.contains(target) || open(false));
  }
  const back = document.getElementById("pst-back-to-top");
  if (!back) return;
  const page = document.documentElement;
  let [before, height] = [scrollY, page.scrollHeight];
  back.addEventListener("click", () => scrollTo(0, 0));
  addEventListener(
    "scroll",
    () => {
      // Who comes near a section gives it its layout, which moves the page as well.
      if (scrollY && scrollY < before) back.style.display = "block";
      else if (!scrollY || page.scrollHeight === height) back.style.display = "none";
      [before, height] = [scrollY, page.scrollHeight];
    },
    { passive: true },
  );
};

// A story has few fields for answers: what judges them comes when the first one is near.
const judgeWhenNear = () => {
  const cell = document.querySelector("div.answer + *"); // the field itself is hidden
  if (!cell || document.querySelector("script[src*='answers.js']")) return;
  const near = new IntersectionObserver(
    ([seen]) => {
      if (!seen.isIntersecting) return;
      near.disconnect();
      const script = document.createElement("script");
      script.src = `${document.documentElement.dataset.content_root}_static/answers.js`;
      document.head.append(script);
    },
    { rootMargin: "800px" },
  );
  near.observe(cell);
};

document.addEventListener("DOMContentLoaded", () => {
  judgeWhenNear();
  replaceBootstrap();
  showProgress();
  listenToKeys();
});
window.addEventListener("load", () => {
  beginSidebar();
  followReader();
});
