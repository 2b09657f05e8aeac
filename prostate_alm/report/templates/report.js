// Moves the threshold and the prevalence: writes the figures of figures.js, which stands before this, into the page.

const byId = (id) => document.getElementById(id);
const slider = byId("threshold");
const state = { arm: 0, steps: [], at: 0, prevalence: data.prevalence };

// ---- writing -------------------------------------------------------------------------------------------------

const score = (value) => (value === Infinity ? "above every score" : `${fixed(value, 3)} logits`);

function interval(name, figure, { unit, digits, top }) {
  const high = `${bounded(figure.high, digits, top)}${unit}`;
  if (name === "fn_rate") return `at most ${high}`;
  return figure.low === figure.high ? data.degenerate : `${bounded(figure.low, digits, top)} to ${high}`;
}

const PERCENT = { unit: "%", digits: 1, top: 100 };
const PATIENTS = { unit: "", digits: 1, top: 100 };
const BENEFIT = { unit: "", digits: 3, top: null };

function write(scope, name, figure, scale) {
  for (const cell of scope.querySelectorAll(`[data-figure="${name}"]`)) {
    cell.dataset.value = figure ? String(figure.value) : "";
    cell.textContent = figure ? `${bounded(figure.value, scale.digits, scale.top)}${scale.unit}` : "undefined";
  }
  for (const cell of scope.querySelectorAll(`[data-interval="${name}"]`)) {
    cell.dataset.low = figure ? String(figure.low) : "";
    cell.dataset.high = figure ? String(figure.high) : "";
    cell.textContent = figure ? interval(name, figure, scale) : "";
  }
}

function writeFigures(scope, figures, names) {
  for (const name of names) write(scope, name, figures[name], name.endsWith("avoided") ? PATIENTS : PERCENT);
}

function writeBenefits(p) {
  for (const row of document.querySelectorAll("[data-pt]")) {
    const found = benefitsOf(Number(row.dataset.pt), p);
    write(row, "benefit", found.model, BENEFIT);
    write(row, "benefit_all", found.all, BENEFIT);
    write(row, "net_avoided", found.avoided, PATIENTS);
    write(row, "benefit_anew", found.anew, BENEFIT);
  }
}

function text(scope, name, value) {
  for (const place of scope.querySelectorAll(`[data-text="${name}"]`)) place.textContent = value;
}

// ---- the case list -------------------------------------------------------------------------------------------

function cell(row, content, kind) {
  const made = row.insertCell();
  made.className = kind;
  made.textContent = content;
  return made;
}

function listCases(id, places, threshold) {
  const logits = data.arms[state.arm].logits;
  const body = byId(`${id}-list`);
  body.replaceChildren();
  for (const place of places) {
    const row = body.insertRow();
    cell(row, data.cases[place], "code");
    cell(row, fixed(logits[place], 3), "number");
    cell(row, threshold === Infinity ? "" : fixed(logits[place] - threshold, 3), "number");
  }
  byId(`${id}-box`).hidden = places.length === 0;
  byId(`${id}-none`).hidden = places.length !== 0;
  text(document, `${id}-count`, String(places.length));
}

// ---- the pictures --------------------------------------------------------------------------------------------

function frameOf(svg) {
  const [left, right, bottom, top] = svg.dataset.frame.split(" ").map(Number);
  const [x0, x1, y0, y1] = svg.dataset.limits.split(" ").map(Number);
  return {
    left, right, bottom, top,
    x: (value) => left + ((value - x0) / (x1 - x0)) * (right - left),
    y: (value) => bottom + ((value - y0) / (y1 - y0)) * (top - bottom),
  };
}

function shape(svg, kind) {
  const found = svg.querySelector(".moved");
  if (found) return found;
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  made.setAttribute("class", "moved");
  return svg.appendChild(made);
}

function place(element, values) {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, String(value));
}

function drawRoc(count) {
  const svg = document.querySelector("#roc-picture svg");
  if (!svg) return;
  const frame = frameOf(svg);
  place(shape(svg, "circle"), { cx: frame.x(count.fp / data.n0), cy: frame.y(count.tp / data.n1), r: 11 });
}

function drawScores(threshold) {
  document.querySelectorAll("#score-pictures > div").forEach((picture, arm) => {
    picture.hidden = arm !== state.arm;
    const svg = picture.querySelector("svg");
    const frame = frameOf(svg);
    const x = Math.min(Math.max(threshold === Infinity ? frame.right : frame.x(threshold), frame.left), frame.right);
    place(shape(svg, "line"), { x1: x, x2: x, y1: frame.bottom, y2: frame.top });
  });
}

// ---- putting it together -------------------------------------------------------------------------------------

const isStart = (threshold) => state.arm === 0 && threshold === data.start;
const kindAt = (threshold) => (isStart(threshold) ? data.kind : "oracle");

function showKind(threshold) {
  const kind = kindAt(threshold);
  const tag = byId("moved-kind");
  tag.className = `tag ${kind}`;
  tag.textContent = kind;
  const said = kind === "locked" ? "fixed beforehand on other cases" : "read off these same cases: the best case, not a forecast; the intervals do not allow for the choice";
  text(document, "moved-kind-said", `${kind}: ${said}`);
  text(document, "moved-kind", kind);
}

function dashed() {
  if (state.arm === 0) return `${data.kind === "locked" ? "locked" : "oracle (0 FN)"} threshold, ${score(data.start)}`;
  return `oracle (0 FN) threshold, ${score(state.steps[stepMissing(0)])}`;
}

function sentence(count, threshold) {
  const name = data.arms[state.arm].name;
  return (
    `${name}, threshold ${score(threshold)}: ${count.tp} of ${data.n1} who need contrast get it, ${count.fn} missed; ` +
    `${count.fp} of ${data.n0} who do not need it get it, ${count.tn} are spared.`
  );
}

function show() {
  const threshold = state.steps[state.at];
  const count = countAt(state.arm, threshold);
  const scope = byId("explorer");
  const logits = data.arms[state.arm].logits;
  writeFigures(scope, figuresOf(count, state.prevalence), [
    "sensitivity", "specificity", "fpr", "fn_rate", "ppv", "npv", "scans_avoided", "wrongly_avoided",
  ]);
  for (const name of ["tp", "fn", "tn", "fp"]) text(scope, name, String(count[name]));
  text(scope, "dashed", dashed());
  byId("moved-said").textContent = sentence(count, threshold);
  text(scope, "moved-threshold", score(threshold));
  slider.setAttribute("aria-valuetext", `${score(threshold)}, ${count.fn} missed, ${count.fp} needless`);
  showKind(threshold);
  listCases("missed", count.missed.sort((a, b) => logits[a] - logits[b]), threshold);
  listCases("needless", count.needless.sort((a, b) => logits[b] - logits[a]), threshold);
  drawRoc(count);
  drawScores(threshold);
}

function stepsOf(arm) {
  const values = new Set(data.arms[arm].logits);
  if (arm === 0) values.add(data.start);
  return [...[...values].sort((a, b) => a - b), Infinity];
}

// the highest threshold that misses at most so many: where arms compare
function stepMissing(misses) {
  let found = 0;
  state.steps.forEach((threshold, at) => {
    if (countAt(state.arm, threshold).fn <= misses) found = at;
  });
  return found;
}

function moveTo(at) {
  state.at = at;
  slider.value = String(at);
  show();
}

function choose(arm, misses) {
  state.arm = arm;
  state.steps = stepsOf(arm);
  slider.max = String(state.steps.length - 1);
  const start = state.steps.indexOf(data.start);
  const back = arm === 0 && countAt(0, data.start).fn === misses;
  moveTo(back ? start : stepMissing(misses));
}

function restart() {
  byId("arm-0").checked = true;
  choose(0, countAt(0, data.start).fn);
}

// ---- the prevalence ------------------------------------------------------------------------------------------

const prevalences = () => document.querySelectorAll("[data-prevalence]");

function writePrevalence(input) {
  input.value = String(Number((100 * state.prevalence).toFixed(1)));
  refuse(input, "");
}

function refuse(input, reason) {
  input.setAttribute("aria-invalid", String(reason !== ""));
  const place = byId(`${input.id}-refused`);
  if (place) place.textContent = reason;
}

function readPrevalence(input) {
  if (input.validity.valid) {
    refuse(input, "");
    setPrevalence(Number(input.value) / 100, input);
  } else {
    refuse(input, `Not a prevalence: give 0.1 to 99.9%, one decimal at most. The figures stay at ${fixed(100 * state.prevalence, 1)}%.`);
  }
}

const oneIn = (wrongly) => (wrongly > 1e-9 ? `, 1 in ${Math.floor(100 / wrongly + 0.5)} patients` : "");

function setPrevalence(p, from) {
  state.prevalence = p;
  for (const input of prevalences()) {
    if (input !== from) writePrevalence(input);
  }
  const own = p === data.prevalence;
  text(document, "prevalence", `${fixed(100 * p, 1)}%`);
  for (const button of document.querySelectorAll("[data-own]")) button.hidden = own;
  text(document, "prevalence-said", own ? "that of these test cases, not of your site" : "set by the reader");
  const figures = figuresOf(countAt(0, data.start), p);
  writeBenefits(p);
  text(document, "one-in", oneIn(figures.wrongly_avoided.value));
  writeFigures(byId("avoided"), figures, ["scans_avoided", "wrongly_avoided", "npv"]);
  show();
}

function listen() {
  slider.addEventListener("input", () => moveTo(Number(slider.value)));
  byId("restart").addEventListener("click", restart);
  byId("miss-nobody").addEventListener("click", () => moveTo(stepMissing(0)));
  for (const button of document.querySelectorAll("[data-own]")) {
    button.addEventListener("click", () => setPrevalence(data.prevalence, null));
  }
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  for (const input of prevalences()) {
    input.addEventListener("input", () => readPrevalence(input));
    input.addEventListener("blur", () => input.validity.valid || writePrevalence(input));
  }
  data.arms.forEach((_, arm) => {
    byId(`arm-${arm}`).addEventListener("change", () => choose(arm, countAt(state.arm, state.steps[state.at]).fn));
  });
}

document.documentElement.classList.add("live");
state.steps = stepsOf(0);
listen();
restart();
setPrevalence(data.prevalence, null);
