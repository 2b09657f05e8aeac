"use strict";
// The figures at a threshold and a prevalence. It only counts: every interval was computed beforehand, in the page's data block.

const data = JSON.parse(document.getElementById("report-data").textContent);

function countAt(arm, threshold) {
  const count = { tp: 0, fn: 0, tn: 0, fp: 0, missed: [], needless: [] };
  data.arms[arm].logits.forEach((logit, place) => {
    const positive = data.labels[place] === 1;
    const called = logit >= threshold;
    count[positive ? (called ? "tp" : "fn") : called ? "fp" : "tn"] += 1;
    if (positive && !called) count.missed.push(place);
    if (!positive && called) count.needless.push(place);
  });
  return count;
}

// a figure that rises or falls with sensitivity and specificity: its ends lie at corners of their joint rectangle
function fromRates(count, formula) {
  const value = formula(count.tp / data.n1, count.tn / data.n0);
  const corners = data.joint.n1[count.tp].flatMap((se) => data.joint.n0[count.tn].map((sp) => formula(se, sp)));
  return { value, low: Math.min(...corners), high: Math.max(...corners) };
}

const proportion = (count, total, intervals) => ({ value: count / total, low: intervals[count][0], high: intervals[count][1] });
const times = (factor, figure) => ({ value: factor * figure.value, low: factor * figure.low, high: factor * figure.high });

function figuresOf(count, p) {
  const misses = { value: count.fn / data.n1, low: 0, high: data.bound[count.fn] };
  const sensitivity = proportion(count.tp, data.n1, data.exact.n1);
  const missing = { value: 1 - sensitivity.value, low: 1 - sensitivity.high, high: 1 - sensitivity.low };
  const ppv = (se, sp) => (p * se) / (p * se + (1 - p) * (1 - sp));
  const npv = (se, sp) => ((1 - p) * sp) / ((1 - p) * sp + p * (1 - se));
  const avoided = (se, sp) => 100 * (p * (1 - se) + (1 - p) * sp);
  return {
    sensitivity: times(100, sensitivity),
    specificity: times(100, proportion(count.tn, data.n0, data.exact.n0)),
    fpr: times(100, proportion(count.fp, data.n0, data.exact.n0)),
    fn_rate: times(100, misses),
    ppv: count.tp + count.fp ? times(100, fromRates(count, ppv)) : null,
    npv: count.tn + count.fn ? times(100, fromRates(count, npv)) : null,
    scans_avoided: fromRates(count, avoided),
    wrongly_avoided: times(100 * p, missing),
  };
}

const logOdds = (probability) => Math.log(probability / (1 - probability));

// at and above it a case's probability, recalibrated from training to p, reaches pt (see net_benefit)
const cutOff = (pt, p) => logOdds(pt) - 1e-12 - (logOdds(p) - logOdds(data.learnt));

// of the start's threshold, and of a cut-off chosen anew for this weight (see net_benefit_at)
function benefitsOf(pt, p) {
  const weight = pt / (1 - pt);
  const model = (se, sp) => p * se - (1 - p) * (1 - sp) * weight;
  const count = countAt(0, data.start);
  return {
    model: fromRates(count, model),
    all: { value: p - (1 - p) * weight },
    avoided: fromRates(count, (se, sp) => 100 * ((1 - p) * sp - (p * (1 - se)) / weight)),
    anew: data.learnt === null ? null : fromRates(countAt(0, cutOff(pt, p)), model),
  };
}

// as Python writes it: an exact tie goes to the even digit
function fixed(value, digits) {
  const [whole, rest] = Math.abs(value).toFixed(20).split(".");
  const down = `${whole}.${rest.slice(0, digits)}`;
  const tie = /^50*$/.test(rest.slice(digits)) && Number(down.slice(-1)) % 2 === 0;
  const text = tie ? down : Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `-${text}` : text;
}

// never 0 of what is more, nor the top of what is less; 1e-9 is what rounding alone leaves of 0
function bounded(value, digits, top) {
  const shown = fixed(value, digits);
  const least = 10 ** -digits;
  if (value > 1e-9 && Number(shown) === 0) return `< ${fixed(least, digits)}`;
  if (top !== null && value < top - 1e-9 && Number(shown) === top) return `> ${fixed(top - least, digits)}`;
  return shown;
}
