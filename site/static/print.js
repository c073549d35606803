// On paper no fold can be opened. What a page folds is printed at its end, under a number,
// so that an answer does not stand below its question; and always in light.
const unprint = [];

addEventListener("beforeprint", () => {
  const page = document.documentElement;
  const { theme } = page.dataset;
  page.dataset.theme = "light";
  unprint.push(() => (page.dataset.theme = theme));

  const article = document.querySelector(".bd-article");
  const folds = article?.querySelectorAll("details:not(details details)") ?? [];
  if (!folds.length) return;
  const end = document.createElement("section");
  end.className = "folded";
  end.innerHTML = "<h2>What this page folds</h2>";
  folds.forEach((fold, index) => {
    const summary = fold.querySelector("summary");
    const content = [...fold.childNodes].filter((node) => node !== summary);
    const shown = summary.querySelector(".collapsed") ?? summary;
    const label = shown.textContent.trim().replace(/^Show (.)/, (_, first) => first.toUpperCase());
    const number = index + 1;
    const from = document.createElement("p");
    from.className = "to-fold";
    from.id = `to-fold-${number}`;
    from.innerHTML = `<a href="#fold-${number}"></a>, at the end of this page`;
    from.firstChild.textContent = `${number}. ${label}`;
    const entry = document.createElement("div");
    entry.innerHTML = `<h3 id="fold-${number}"><a href="#to-fold-${number}"></a></h3>`;
    entry.querySelector("a").textContent = `${number}. ${label}`;
    entry.append(...content);
    end.append(entry);
    fold.replaceWith(from);
    unprint.push(() => {
      fold.append(...content);
      from.replaceWith(fold);
    });
  });
  article.append(end);
  unprint.push(() => end.remove());
});

addEventListener("afterprint", () => {
  while (unprint.length) unprint.pop()();
});
