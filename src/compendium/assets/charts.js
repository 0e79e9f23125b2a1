// Turns the still charts of a page into live ones, in the colours of the page's mode.
(() => {
  "use strict";
  const root = document.documentElement;
  const here = document.currentScript ? document.currentScript.src : "";
  const base = here.slice(0, here.lastIndexOf("/") + 1);
  const loaded = new Map();
  const ROOM = 1.25; // how much taller a chart becomes at a time, until all its names have room
  const TRIES = 7;

  function load(name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = base + name;
        script.onload = resolve;
        script.onerror = () => reject(new Error(name + " is missing"));
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  const mode = () => (root.dataset.theme === "dark" ? "dark" : "light");

  // on a phone the words of an axis must leave room for the chart
  function themed(canvas) {
    const theme = structuredClone(window.chartThemes[mode()]);
    if (canvas.clientWidth < 520) {
      theme.axis.labelFontSize = theme.axis.titleFontSize = 11;
      theme.axis.labelLimit = Math.round(canvas.clientWidth * 0.36);
      theme.legend.labelLimit = canvas.clientWidth - 60;
      theme.legend.columns = 1;
    }
    return theme;
  }

  // words in lines of at most so many letters
  function inLines(text, letters) {
    return text.split(" ").reduce((lines, word) => {
      const last = lines.at(-1);
      if (last && last.length + word.length < letters) lines[lines.length - 1] = last + " " + word;
      else lines.push(word);
      return lines;
    }, []);
  }

  // the same for a label of an axis, in the language of charts
  const labelInLines = (letters) =>
    "split(trim(replace(datum.label, regexp('(.{1," + letters + "})( +|$)', 'g'), '$1\\n')), '\\n')";

  const areNames = (channel) => ["nominal", "ordinal"].includes(channel?.type);

  // a limit that a chart sets itself must not take a phone's whole width, nor words be cut off
  function narrowed(part, limit) {
    if (Array.isArray(part)) part.forEach((one) => narrowed(one, limit));
    else if (part && typeof part === "object") {
      // slanting labels may take height, but not width
      if (part.labelAngle) part.labelAngle = -65;
      else if (part.labelLimit > limit) part.labelLimit = limit;
      if (part.columns > 4) part.columns = 4;
      if (part.y?.type === "nominal" && part.y.axis !== null) {
        part.y.axis = { labelLimit: limit, labelExpr: labelInLines(Math.floor(limit / 5.2)), ...part.y.axis };
      }
      if (areNames(part.x) && part.x.axis !== null && !part.x.axis?.labelAngle) {
        part.x.axis = { labelExpr: labelInLines(7), ...part.x.axis };
      }
      if (typeof part.x?.title === "string") part.x.title = inLines(part.x.title, limit / 6);
      for (const [name, value] of Object.entries(part)) {
        // a legend has the whole width to itself
        if (name !== "datasets") narrowed(value, name === "legend" ? 2 * limit - 60 : limit);
      }
    }
    return part;
  }

  // an axis leaves out names that have no room, rather than print them over one another
  const namesLeftOut = (drawn) => drawn.querySelector(
    "[aria-label^='Y-axis'][aria-label*='discrete scale'] .role-axis-label text[opacity='0']") !== null;

  const hasNames = (part) => part !== null && typeof part === "object" &&
    (areNames(part.y) ||
      Object.entries(part).some(([name, value]) => name !== "datasets" && hasNames(value)));

  // give the rows of every part that has names more room
  function taller(part) {
    const parts = part.vconcat ?? part.hconcat ?? part.concat;
    if (parts) parts.forEach(taller);
    else if (part.spec) taller(part.spec);
    else if (hasNames(part)) {
      if (part.height?.step) part.height.step *= ROOM;
      else if (part.height) part.height *= ROOM;
    }
  }

  // the still of a chart, or a picture, to take away
  function offerPicture(figure, address, ending) {
    const link = document.createElement("a");
    link.className = "data-link";
    link.href = address;
    link.download = figure.id.replace(/^fig-/, "") + "." + ending;
    link.textContent = "Picture (" + ending.toUpperCase() + ")";
    figure.querySelector("figcaption").append(" ", link);
  }

  function offerStill(figure, still) {
    const copy = still.cloneNode(true);
    copy.removeAttribute("aria-hidden");
    const text = new XMLSerializer().serializeToString(copy);
    offerPicture(figure, URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })), "svg");
  }

  async function draw(figure) {
    const wanted = mode();
    if (figure.dataset.drawn === wanted) return;
    const canvas = figure.querySelector(".chart-canvas");
    const spec = JSON.parse(figure.querySelector(".chart-spec").textContent);
    if (canvas.clientWidth < 520) narrowed(spec, Math.round(canvas.clientWidth * 0.56));
    const fresh = document.createElement("div");
    fresh.className = "chart-live";
    fresh.setAttribute("aria-hidden", "true");
    canvas.append(fresh);
    for (let tries = 0; tries < TRIES; tries += 1) {
      await window.vegaEmbed(fresh, spec, {
        mode: "vega-lite", renderer: "svg", actions: false, ast: false,
        config: themed(canvas), tooltip: { theme: wanted },
      });
      if (!namesLeftOut(fresh)) break;
      taller(spec);
    }
    const still = canvas.querySelector(":scope > svg");
    if (still) offerStill(figure, still);
    // what scrolls must be reachable by keyboard
    if (canvas.scrollWidth > canvas.clientWidth + 1) canvas.tabIndex = 0;
    for (const old of [...canvas.children]) if (old !== fresh) old.remove();
    figure.dataset.drawn = wanted;
  }

  // one drawing after the other: the mode may change while a chart is being drawn
  let queue = Promise.resolve();
  const near = new Set();
  function enqueue(figure) {
    queue = queue
      .then(() => Promise.all([load("vega.js"), load("chart-themes.js")]))
      .then(() => draw(figure))
      .catch((error) => console.error(error));
  }

  // the library listens to the window alone, but a side bar too gives room or takes it
  function followWidth(content) {
    let width = content.clientWidth;
    new ResizeObserver(() => {
      if (content.clientWidth === width) return;
      width = content.clientWidth;
      window.dispatchEvent(new Event("resize"));
    }).observe(content);
  }

  function openViewer(button) {
    const frame = document.createElement("iframe");
    frame.src = base + "views/" + button.dataset.viewer;
    frame.title = "Interactive brain: " +
      (button.closest("figure").querySelector("figcaption")?.textContent ?? "");
    frame.className = "viewer-frame";
    button.replaceWith(frame);
    frame.focus();
  }

  function start() {
    const figures = document.querySelectorAll("figure.chart");
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) { near.add(entry.target); enqueue(entry.target); }
      }
    }, { rootMargin: "600px" });
    figures.forEach((figure) => watcher.observe(figure));
    if (figures.length) followWidth(figures[0].parentElement);
    new MutationObserver(() => near.forEach(enqueue))
      .observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    document.querySelectorAll("figure.picture img").forEach((image) =>
      offerPicture(image.closest("figure"), image.src, image.src.includes("svg+xml;") ? "svg" : "png"));
    document.querySelectorAll(".viewer-button").forEach((button) =>
      button.addEventListener("click", () => openViewer(button)));
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
