"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const plots = document.getElementById("plots");
const FLOOR = 1e-2, ROOF = 1e6;

function colour(name) {
  return getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
}

function clock(seconds) {
  if (seconds < 60) return `${Math.round(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${String(Math.round(seconds % 60)).padStart(2, "0")}s`;
  return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
}

const escaped = (text) => new Option(text).innerHTML;
const percent = (value) => `${Number((value * 100).toPrecision(3))} %`;
const eValue = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(2)));
const overTime = (values) => data.time.map((at, i) => [at, values[i]]);
const clamped = (values) => values.map((each) => (each === null ? null : Math.min(Math.max(each, FLOOR), ROOF)));

function line(name, key, points, more = {}) {
  return { name, type: "line", data: points, showSymbol: false, color: colour(key),
    lineStyle: { width: 2, ...more.lineStyle }, ...more };
}

/* What of a chart is the same everywhere. */
function chart({ x, y, series, format, heading = clock }) {
  const axis = {
    axisLabel: { color: colour("soft"), hideOverlap: true },
    axisLine: { lineStyle: { color: colour("line") } },
    splitLine: { lineStyle: { color: colour("line") } },
    axisTick: { show: false },
  };
  return {
    animation: false,
    grid: { left: 6, right: 18, top: 14, bottom: 4, containLabel: true },
    xAxis: { type: "value", ...axis, splitLine: { show: false }, ...x,
      axisLabel: { ...axis.axisLabel, formatter: clock, ...x?.axisLabel } },
    yAxis: { type: "value", ...axis, ...y,
      axisLabel: { ...axis.axisLabel, formatter: format, ...y?.axisLabel } },
    tooltip: {
      trigger: "axis", confine: true, backgroundColor: colour("card"), borderColor: colour("line"),
      textStyle: { color: colour("ink") },
      formatter: (points) => [escaped(heading(points[0].axisValue)), ...points
        .filter((each) => each.seriesName && !each.seriesName.startsWith("series") && each.value?.[1] != null)
        .map((each) => `${each.marker}${escaped(each.seriesName)}: ${format(each.value[1])}`)].join("<br>"),
    },
    series,
  };
}

function threshold(value, text, key) {
  return { silent: true, symbol: "none", lineStyle: { color: colour(key), type: "dashed" },
    label: { formatter: text, position: "insideStartTop", color: colour(key) }, data: [{ yAxis: value }] };
}

function weight() {
  return chart({
    y: { max: 100, min: 0 }, format: (value) => `${value} %`, x: { max: "dataMax" },
    series: [line("canary", "canary", overTime(data.weight), { step: "end", areaStyle: { opacity: 0.15 } })],
  });
}

/* Where the canary's share lies is the stable's plus the interval of their difference. */
function rates(metric) {
  const canary = metric.canaryShare;
  const stable = metric.stableShare;
  const known = stable.map((each, i) => each !== null && canary[i] !== null && metric.high[i] < 1);
  const low = stable.map((each, i) => (known[i] ? Math.max(each + metric.low[i], 0) : null));
  const high = stable.map((each, i) => (known[i] ? Math.min(each + metric.high[i], 1) : null));
  const shown = [...canary, ...stable].filter((each) => each !== null);
  const settled = high.slice(Math.floor(high.length / 3)).filter((each) => each !== null);
  const roof = Math.min(1, 1.15 * Math.max(0.004, ...shown, ...settled.slice(-1), ...settled.slice(0, 1)));
  const none = { lineStyle: { opacity: 0 }, stack: "band", silent: true, symbol: "none" };
  return chart({
    y: { min: 0, max: roof, axisLabel: { showMaxLabel: false } }, x: { max: "dataMax" }, format: percent,
    series: [
      line("", "band", overTime(low), none),
      line("", "band", overTime(high.map((each, i) => (each === null ? null : each - low[i]))),
        { ...none, areaStyle: { color: colour("band"), opacity: 1 } }),
      line("stable", "stable", overTime(stable)),
      line("canary", "canary", overTime(canary)),
    ],
  });
}

const HUES = 6;
const SUM = "weighted sum";
const hues = Object.fromEntries(data.metrics.map((each, i) => [each.name, `metric${i % HUES}`]));

function evidence(lines, needed, key, text) {
  return chart({
    y: { type: "log", min: FLOOR, max: ({ max }) => 10 ** Math.ceil(Math.log10(Math.max(needed * 2, max))) },
    x: { max: "dataMax" }, format: eValue,
    series: lines.map(([name, values], i) => line(name, hues[name] ?? key, overTime(clamped(values)), {
      ...(i === 0 ? { markLine: threshold(needed, text, key) } : {}),
    })),
  });
}

function against() {
  const lines = data.metrics.map((each) => [each.name, each.rollback]);
  return evidence([...lines, [SUM, data.against]], data.neededAgainst, "against", "rolls back");
}

function forNext() {
  const lines = data.metrics.filter((each) => each.isGate)
    .map((each) => [each.name, each.gate]);
  return evidence(lines, data.neededFor, "gate", "opens");
}

function latency() {
  const edges = Object.keys(data.durations).filter((each) => each !== "+Inf").map(Number).sort((a, b) => a - b);
  const upTo = (arm) => {
    const total = Object.values(data.durations).reduce((sum, pair) => sum + pair[arm], 0);
    const byEdge = new Map(Object.entries(data.durations).map(([edge, pair]) => [Number(edge), pair[arm]]));
    let sum = 0;
    return total ? edges.map((edge) => [edge * 1000, (sum += byEdge.get(edge) ?? 0) / total]) : [];
  };
  const limits = data.metrics.filter((each) => each.slo !== null).map((each) => ({ xAxis: each.slo * 1000 }));
  const time = (ms) => (ms < 1000 ? `${Number(Number(ms).toPrecision(3))} ms` : `${ms / 1000} s`);
  const slo = { silent: true, symbol: "none", data: limits, lineStyle: { color: colour("soft"), type: "dashed" },
    label: { formatter: "objective", color: colour("soft") } };
  return chart({
    x: { type: "log", axisLabel: { formatter: time }, max: Math.max(edges[edges.length - 1] ?? 1, ...limits.map((each) => each.xAxis / 1000)) * 1000 * 1.2 },
    y: { min: 0, max: 1 }, format: percent, heading: (value) => `up to ${time(value)}`,
    series: [line("stable", "stable", upTo(1), { step: "end", markLine: slo }),
      line("canary", "canary", upTo(0), { step: "end" })],
  });
}

function labels() {
  const names = Object.keys(data.labels).sort((a, b) => data.labels[b][1] - data.labels[a][1]).slice(0, 12);
  const total = (arm) => Object.values(data.labels).reduce((sum, pair) => sum + pair[arm], 0) || 1;
  const bars = (name, key, arm) => ({ name, type: "bar", color: colour(key), barMaxWidth: 32,
    data: names.map((label) => [label, data.labels[label][arm] / total(arm)]) });
  return chart({
    x: { type: "category", data: names, axisLabel: { formatter: (name) => name } }, y: { min: 0 },
    format: percent, heading: (name) => name,
    series: [bars("stable", "stable", 1), bars("canary", "canary", 0)],
  });
}

const gates = Object.fromEntries(data.metrics.filter((each) => each.isGate).map(({ name }) => [name, hues[name]]));
const ARMS = { canary: "canary", stable: "stable" };
const wanted = [
  ["Weight", "Share of all requests that the canary is asked to answer.", {}, weight],
  ...data.metrics.filter((each) => !each.isDrift).map((metric) => [metric.name,
    "Bad share so far; the canary's lies within the band, whenever one looks.", ARMS, () => rates(metric)]),
  ["Evidence against the canary", "Where the sum reaches the line, it is rolled back.", { ...hues, [SUM]: "against" }, against],
  ["Evidence for the next weight", "Where all of them reach the line, the gate opens.", gates, forNext],
  ["Latency", "Share of requests answered within a time.", ARMS, latency],
  ["Predicted labels", "Share of each label in both arms.", ARMS, labels],
];

const drawn = wanted.map(([title, told, keys, option]) => {
  const figure = document.createElement("figure");
  const names = Object.entries(keys)
    .map(([name, key]) => `<span style="--key: var(--${key})">${escaped(name)}</span>`).join("");
  figure.innerHTML = `<h2></h2><figcaption></figcaption><div class="plot" role="img"></div>`;
  figure.querySelector("h2").textContent = title;
  figure.querySelector("figcaption").textContent = told;
  figure.querySelector("figcaption").insertAdjacentHTML("beforeend", `<span class="keys">${names}</span>`);
  figure.querySelector(".plot").setAttribute("aria-label", `${title}. ${told}`);
  plots.append(figure);
  return [echarts.init(figure.querySelector(".plot"), null, { renderer: "svg" }), option];
});

function draw() {
  for (const [plot, option] of drawn) {
    plot.resize();
    plot.setOption(option(), true);
  }
}

draw();
addEventListener("resize", draw);
addEventListener("beforeprint", draw);
addEventListener("afterprint", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
