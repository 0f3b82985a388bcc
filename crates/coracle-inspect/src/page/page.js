"use strict";
// Text is only ever set as text: names of images are untrusted.
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");
const searchBox = document.getElementById("search");
const matches = document.getElementById("matches");
const listeners = [];

// Characters that control or reorder text are shown as code points.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const shown = (text) => String(text).replace(unsafe, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  for (const child of children.flat()) {
    made.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return made;
}

function bytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) { size /= 1000; unit += 1; }
  return (unit === 0 ? size : size.toFixed(size < 10 ? 2 : 1)) + " " + units[unit];
}

function section(id, title, ...children) {
  const made = element("section", { "aria-labelledby": id }, element("h2", { id }, title), ...children);
  main.append(made);
  return made;
}

function facts(rows) {
  const list = element("dl");
  for (const [label, value] of rows) {
    if (value === undefined || value === null || value === "" || value.length === 0) continue;
    for (const part of Array.isArray(value) ? value : [value]) {
      list.append(element("dt", {}, label), element("dd", {}, part));
    }
  }
  return list;
}

// ---- treemap -------------------------------------------------------------------------------

// Builds a tree of {name, path, size, children} from entries of {keys, path, size}.
function buildTree(name, entries) {
  const root = { name, path: "", size: 0, children: new Map() };
  for (const entry of entries) {
    let at = root;
    root.size += entry.size;
    entry.keys.forEach((key, depth) => {
      if (!at.children.has(key)) {
        at.children.set(key, { name: key, path: entry.keys.slice(0, depth + 1).join("/"), size: 0, children: new Map() });
      }
      at = at.children.get(key);
      at.size += entry.size;
    });
    at.entry = entry;
  }
  return root;
}

// Squarified rows: each row is filled until its aspect ratio would get worse.
function layoutCells(nodes, x, y, width, height, out) {
  let items = nodes.filter((node) => node.size > 0).sort((a, b) => b.size - a.size);
  let total = items.reduce((sum, node) => sum + node.size, 0);
  while (items.length > 0 && width > 0.01 && height > 0.01) {
    const side = Math.min(width, height);
    const scale = (width * height) / total;
    let row = [], area = 0, worst = Infinity;
    for (const node of items) {
      const next = area + node.size * scale;
      const thickness = next / side;
      const smallest = node.size * scale;
      const ratio = Math.max((row.length ? row[0].size * scale : smallest) / (thickness * thickness), (thickness * thickness) / smallest);
      if (row.length > 0 && ratio > worst) break;
      row.push(node); area = next; worst = ratio;
    }
    const thickness = area / side;
    let offset = 0;
    for (const node of row) {
      const length = (node.size * scale) / thickness;
      if (width >= height) out.push({ node, x, y: y + offset, w: thickness, h: length });
      else out.push({ node, x: x + offset, y, w: length, h: thickness });
      offset += length;
    }
    if (width >= height) { x += thickness; width -= thickness; } else { y += thickness; height -= thickness; }
    total -= row.reduce((sum, node) => sum + node.size, 0);
    items = items.slice(row.length);
  }
  return out;
}

const MAX_CELLS = 400;

// The number of cells up to which the largest directories are replaced by what is in them.
const EXPANDED_CELLS = 80;

// Returns the cells of a node: [node, name of the top-level group, path below the node].
function expanded(node) {
  const cells = [...node.children.values()].map((child) => ({ node: child, group: child.name, label: child.name }));
  while (cells.length < EXPANDED_CELLS) {
    let largest = -1;
    cells.forEach((cell, index) => {
      if (cell.node.children.size > 0 && (largest < 0 || cell.node.size > cells[largest].node.size)) largest = index;
    });
    if (largest < 0) break;
    const [{ node: opened, group, label }] = cells.splice(largest, 1);
    for (const child of opened.children.values()) cells.push({ node: child, group, label: label + "/" + child.name });
  }
  return cells.map((cell) => ({ ...cell, size: cell.node.size }));
}

function treemap(id, title, trees) {
  const map = element("div", { class: "map", role: "group", "aria-label": "Treemap, by compressed size" });
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Position in the treemap" });
  const choices = element("p", {});
  const made = section(id, title, choices, crumbs, map,
    element("p", { class: "note" }, "Areas are compressed sizes. Enter opens a cell, Backspace goes back, arrow keys move; the table below has the same data."));
  let current = trees[0], stack = [current.root], wanted = "";
  for (const tree of trees.length > 1 ? trees : []) {
    choices.append(element("button", { type: "button", onclick: () => { current = tree; stack = [tree.root]; draw(); } }, "by " + tree.name), " ");
  }
  const contains = (node) => (node.path + "/" + node.name).toLowerCase().includes(wanted)
    || (node.entry && node.entry.search.toLowerCase().includes(wanted)) || [...node.children.values()].some(contains);
  function draw(focus) {
    const node = stack[stack.length - 1];
    crumbs.replaceChildren(...stack.map((step, depth) => element("button", {
      type: "button", "aria-current": depth === stack.length - 1 ? "location" : null,
      onclick: () => { stack = stack.slice(0, depth + 1); draw(true); },
    }, step.name + " " + bytes(step.size))));
    const { clientWidth: width, clientHeight: height } = map;
    const children = expanded(node).sort((a, b) => b.size - a.size);
    const nodes = children.slice(0, MAX_CELLS);
    const rest = children.slice(MAX_CELLS).reduce((sum, child) => sum + child.size, 0);
    const more = (children.length - MAX_CELLS) + " more";
    if (rest > 0) nodes.push({ node: { name: more, path: "", size: rest, children: new Map() }, group: more, label: more, size: rest });
    const cells = layoutCells(nodes, 0, 0, width, height, []);
    const groups = [...node.children.keys()];
    map.replaceChildren(...cells.map(({ node: { node: child, group, label: below }, x, y, w, h }, index) => {
      const isLeaf = child.children.size === 0;
      const hue = (groups.indexOf(group) * 137.5 + 185) % 360;
      const label = below + ", " + bytes(child.size) + (isLeaf ? "" : ", " + child.children.size + " entries");
      const cell = element("button", {
        type: "button", class: "cell" + (isLeaf ? " leaf" : "") + (w < 14 || h < 14 ? " tiny" : ""), title: shown(label), "aria-label": shown(label),
        tabindex: index === 0 ? 0 : -1,
        style: `left:${x}px;top:${y}px;width:${w}px;height:${h}px;background:hsl(${hue} 55% 78%)`,
        onclick: () => { if (!isLeaf) { stack.push(child); draw(true); } },
      });
      if (w > 44 && h > 18) cell.append(document.createTextNode(shown(child.name)));
      if (w > 60 && h > 36) cell.append(element("br"), bytes(child.size));
      if (wanted) cell.classList.add(contains(child) ? "hit" : "miss");
      return cell;
    }));
    if (cells.length === 0) map.append(element("p", { class: "note" }, "There is nothing with a size here."));
    if (focus && map.firstChild && map.firstChild.focus) map.firstChild.focus();
  }
  map.addEventListener("keydown", (event) => {
    const cells = [...map.querySelectorAll(".cell")];
    const at = cells.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Backspace" && stack.length > 1) { stack.pop(); draw(true); event.preventDefault(); }
    if (step && at >= 0) {
      const next = cells[Math.min(cells.length - 1, Math.max(0, at + step))];
      cells[at].tabIndex = -1; next.tabIndex = 0; next.focus(); event.preventDefault();
    }
  });
  listeners.push((text) => { wanted = text; draw(); return 0; });
  new ResizeObserver(() => draw()).observe(map);
  draw();
  return made;
}

// ---- tables --------------------------------------------------------------------------------

const MAX_ROWS = 500;

// Columns are {name, value, text, number, optional, path}.
function table(id, title, caption, rows, columns, rowClass) {
  const body = element("tbody");
  const count = element("caption", {}, caption);
  let sorted = null, down = false, wanted = "";
  const heads = columns.map((column, index) => element("th", {
    scope: "col", class: (column.number ? "number " : "") + (column.optional ? "optional" : ""),
  }, element("button", { type: "button", onclick: () => {
    down = sorted === index ? !down : Boolean(column.number); sorted = index; draw();
  } }, column.name)));
  section(id, title, element("div", { class: "table" },
    element("table", {}, count, element("thead", {}, element("tr", {}, heads)), body)));
  const text = (row, column) => column.text ? column.text(row) : column.value(row) ?? "";
  function draw() {
    let found = wanted ? rows.filter((row) => columns.some((column) => String(text(row, column)).toLowerCase().includes(wanted))) : rows.slice();
    if (sorted !== null) {
      const value = columns[sorted].value;
      found.sort((a, b) => { const x = value(a) ?? "", y = value(b) ?? ""; return x < y ? -1 : x > y ? 1 : 0; });
      if (down) found.reverse();
    }
    heads.forEach((head, index) => {
      if (sorted === index) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    count.textContent = caption + ": " + found.length + (found.length > MAX_ROWS ? ", the first " + MAX_ROWS + " are listed" : "");
    body.replaceChildren(...found.slice(0, MAX_ROWS).map((row) => element("tr", { class: rowClass ? rowClass(row) : null },
      columns.map((column) => element("td", {
        class: (column.number ? "number " : "") + (column.optional ? "optional " : "") + (column.path ? "path" : ""),
      }, text(row, column))))));
    return found.length;
  }
  listeners.push((query) => { wanted = query; return draw(); });
  draw();
}

// ---- graph ---------------------------------------------------------------------------------

const MAX_NODES = 300;
const SVG = (name, attributes, ...children) => {
  const made = document.createElementNS(document.getElementById("svg-space").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

function graph(nodes, edges) {
  const chosen = nodes.slice(0, MAX_NODES);
  const used = edges.filter((edge) => edge.from < chosen.length && edge.to < chosen.length);
  const depth = chosen.map((node) => (node.root ? 0 : Infinity));
  for (let round = 0; round < chosen.length; round += 1) {
    let changed = false;
    for (const { from, to } of used) {
      if (depth[from] + 1 < depth[to]) { depth[to] = depth[from] + 1; changed = true; }
    }
    if (!changed) break;
  }
  const columns = new Map();
  chosen.forEach((node, index) => {
    const column = Number.isFinite(depth[index]) ? depth[index] : 1;
    if (!columns.has(column)) columns.set(column, []);
    columns.get(column).push(index);
  });
  const place = [];
  const WIDTH = 230, HEIGHT = 30;
  for (const [column, members] of columns) members.forEach((index, row) => { place[index] = { x: 10 + column * (WIDTH + 70), y: 10 + row * HEIGHT }; });
  const width = Math.max(...[...columns.keys()].map((column) => (column + 1) * (WIDTH + 70)), WIDTH) + 20;
  const height = Math.max(...[...columns.values()].map((members) => members.length), 1) * HEIGHT + 20;
  const paths = used.map((edge) => {
    const a = place[edge.from], b = place[edge.to];
    const made = SVG("path", { d: `M${a.x + WIDTH} ${a.y + 11} C${a.x + WIDTH + 40} ${a.y + 11} ${b.x - 40} ${b.y + 11} ${b.x} ${b.y + 11}` });
    made.append(SVG("title", {}, shown(edge.name + ": " + edge.rule)));
    return made;
  });
  const detail = element("div", { role: "status", "aria-live": "polite" }, element("p", { class: "note" }, "Choose a file to see who needs it."));
  const groups = chosen.map((node, index) => {
    const { x, y } = place[index];
    const name = node.path.split("/").pop();
    const made = SVG("g", { tabindex: "0", role: "button", "aria-label": shown(node.path) },
      SVG("rect", { x, y, width: WIDTH, height: 22, rx: 4 }),
      SVG("text", { x: x + 6, y: y + 15 }, shown(name.length > 30 ? name.slice(0, 29) + "…" : name)),
      SVG("title", {}, shown(node.path)));
    const choose = () => {
      paths.forEach((path, at) => path.classList.toggle("on", used[at].from === index || used[at].to === index));
      groups.forEach((group, at) => group.classList.toggle("on", at === index));
      const line = (edge, path) => element("li", { class: "mono" }, path + ", as " + edge.name + ", " + edge.rule);
      detail.replaceChildren(element("p", { class: "mono" }, node.path + (node.root ? " (" + node.root + ")" : "")),
        element("p", {}, "is needed by"), element("ul", { class: "chain" }, used.filter((edge) => edge.to === index).map((edge) => line(edge, nodes[edge.from].path))),
        element("p", {}, "needs"), element("ul", { class: "chain" }, used.filter((edge) => edge.from === index).map((edge) => line(edge, nodes[edge.to].path))));
    };
    made.addEventListener("click", choose);
    made.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { choose(); event.preventDefault(); } });
    return made;
  });
  const drawing = SVG("svg", { width, height, role: "group", "aria-label": "Files, each right of the file that needs it" }, ...paths, ...groups);
  const more = nodes.length > MAX_NODES ? element("p", { class: "note" }, "The first " + MAX_NODES + " of " + nodes.length + " files are drawn.") : "";
  section("graph-title", "Who needs whom", element("div", { class: "graph", tabindex: "0" }, drawing), detail, more);
  listeners.push((text) => { groups.forEach((group, at) => group.classList.toggle("miss", text !== "" && !chosen[at].path.toLowerCase().includes(text))); return 0; });
}

// ---- the two pages -------------------------------------------------------------------------

function pathKeys(path) { return path.split("/").filter(Boolean); }

function imagePage({ report, graph: links }) {
  const image = report.image, files = image.files || [], config = image.config;
  document.getElementById("heading").textContent = shown((report.names[0] || report.location) + "  " + image.platform);
  section("summary-title", "Image", facts([
    ["digest", report.digest], ["size", bytes(image.size) + " compressed, " + bytes(image.unpacked_size || 0) + " unpacked"],
    ["platforms", report.platforms.map((platform) => platform.platform).join(", ")], ["created", config.created],
    ["user", config.user || "root (none is set)"], ["entrypoint", config.entrypoint.join(" ")], ["cmd", config.cmd.join(" ")],
    ["env", config.env], ["directory", config.working_dir], ["ports", config.ports.join(", ")], ["volumes", config.volumes.join(", ")],
    ["system", image.distribution], ["base", image.base && [image.base.name, image.base.digest].filter(Boolean).join("@")],
    ["label", Object.entries(config.labels).map(([key, value]) => key + "=" + value)],
    ["referrer", report.referrers.map((referrer) => referrer.what + " " + referrer.digest)],
  ]));
  const entries = files.filter((file) => file.kind !== "directory").map((file) => ({
    file, size: file.compressed, search: [file.path, file.package, file.why].filter(Boolean).join(" "),
  }));
  const by = (name, first) => ({ name, root: buildTree("image", entries.map((entry) => ({ ...entry, keys: [first(entry.file), ...pathKeys(entry.file.path)] }))) });
  treemap("map-title", "What takes the space", [by("layer", (file) => "layer " + (file.layer + 1)), by("package", (file) => file.package || "no package")]);
  if (links.nodes.length > 0) graph(links.nodes, links.edges);
  if (image.packages && image.packages.length > 0) {
    table("packages-title", "Packages", "Packages", image.packages, [
      { name: "package", value: (row) => row.name, path: true }, { name: "version", value: (row) => row.version },
      { name: "files", value: (row) => row.files, number: true, optional: true },
      { name: "compressed", value: (row) => row.compressed, text: (row) => bytes(row.compressed), number: true },
    ]);
  }
  table("files-title", "Files", "Paths", files, [
    { name: "path", value: (row) => row.path, text: (row) => row.path + (row.target ? " -> " + row.target : ""), path: true },
    { name: "size", value: (row) => row.size, text: (row) => (row.kind === "file" ? bytes(row.size) : row.kind), number: true, optional: true },
    { name: "compressed", value: (row) => row.compressed, text: (row) => bytes(row.compressed), number: true },
    { name: "mode", value: (row) => row.mode, optional: true }, { name: "layer", value: (row) => row.layer + 1, number: true, optional: true },
    { name: "package", value: (row) => row.package, optional: true }, { name: "why", value: (row) => row.why },
  ]);
}

function diffPage({ diff }) {
  document.getElementById("heading").textContent = shown(diff.old.location + " → " + diff.new.location);
  section("summary-title", "Images", facts([
    ["old", diff.old.digest], ["new", diff.new.digest], ["result", diff.same ? "the images are the same" : "the images differ"],
    ["added", diff.added_platforms.join(", ")], ["removed", diff.removed_platforms.join(", ")],
  ]));
  diff.platforms.forEach((platform, number) => {
    const id = (name) => name + number;
    section(id("platform"), platform.platform, facts([
      ["old size", bytes(platform.old_size)], ["new size", bytes(platform.new_size)], ["problem", platform.problems],
      ["contract", platform.contract.map((change) => (change.breaking ? "breaking: " : "") + change.part + " " + change.name + " " + change.message)],
      ["config", platform.config.concat(platform.manifest).map((change) => change.key + ": " + (change.old ?? "none") + " → " + (change.new ?? "none"))],
      ["layer", platform.layers.map((layer) => {
        const where = [layer.old, layer.new].filter(Boolean).map((side) => side.number + 1).join(" → ");
        const what = !layer.old ? "added" : !layer.new ? "removed" : layer.difference ? layer.difference.part + (layer.difference.path ? " of " + layer.difference.path : "") + ", byte " + layer.difference.offset : "the same";
        return where + ": " + what;
      })],
    ]));
    const side = (row) => row.new || row.old;
    if (platform.files.length > 0) {
      const entries = platform.files.map((row) => ({ size: side(row).compressed, search: row.path, keys: [row.change, ...pathKeys(row.path)] }));
      treemap(id("map"), "What changed, by compressed size", [{ name: "change", root: buildTree("changes", entries) }]);
    }
    if (platform.packages.length > 0) {
      table(id("packages"), "Packages", "Packages", platform.packages, [
        { name: "package", value: (row) => row.name, path: true }, { name: "old", value: (row) => row.old }, { name: "new", value: (row) => row.new },
      ], (row) => (!row.old ? "added" : !row.new ? "removed" : "changed"));
    }
    if (platform.files.length > 0) {
      const details = (row) => [
        ...(row.fields || []).map((field) => field.field + ": " + field.old + " → " + field.new),
        ...(row.first_difference !== undefined ? ["byte " + row.first_difference] : []),
        ...(row.elf ? [...row.elf.added_libraries.map((name) => "+ needs " + name), ...row.elf.removed_libraries.map((name) => "- needs " + name),
          ...row.elf.added_versions.map((name) => "+ " + name), ...row.elf.removed_versions.map((name) => "- " + name),
          ...row.elf.sections.map((part) => part.name)] : []),
        ...(row.keys || []).map((change) => change.key),
      ].join("; ");
      table(id("files"), "Files", "Paths", platform.files, [
        { name: "path", value: (row) => row.path, path: true }, { name: "change", value: (row) => row.change },
        { name: "old", value: (row) => (row.old ? row.old.compressed : -1), text: (row) => (row.old ? bytes(row.old.compressed) : ""), number: true, optional: true },
        { name: "new", value: (row) => (row.new ? row.new.compressed : -1), text: (row) => (row.new ? bytes(row.new.compressed) : ""), number: true },
        { name: "what", value: details },
      ], (row) => row.change);
    }
  });
}

(data.kind === "image" ? imagePage : diffPage)(data);

searchBox.addEventListener("input", () => {
  const wanted = searchBox.value.trim().toLowerCase();
  const found = listeners.reduce((sum, listener) => sum + listener(wanted), 0);
  matches.textContent = wanted ? found + " rows match" : "";
});
