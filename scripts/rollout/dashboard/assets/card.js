"use strict";
/* What draws one rollout: elements are made once, then only their texts change. */

const EFFECTS = {
  pause: "Keeps the weight; the evidence goes on.",
  resume: "Goes on after a pause, a percent set by hand, or being held.",
  approve: "Lets the rollout leave this step.",
  promote: "Raises the weight to the next step, whatever the evidence.",
  abort: "Takes all traffic from the canary, now.",
  undo: "Gives the previous revision all traffic again.",
};

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

/* As many children as items, each drawn by `draw`; none is made anew that can stay. */
function fill(parent, items, make, draw) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(make());
  items.forEach((item, i) => draw(parent.children[i], item));
}

function list(parent, items) {
  fill(parent, items, () => document.createElement("li"), put);
  show(parent, items.length > 0);
}

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function duration(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)} days`;
}

const COLUMNS = ["Canary", "Stable", "Difference, points"];

function makeRow() {
  const bar = (label) => made("td", { role: "cell", "data-label": label }, made("progress", { max: "1" }), made("span", {}));
  return made("tr", { role: "row" }, made("th", { role: "rowheader", scope: "row" }),
    ...COLUMNS.map((label) => made("td", { role: "cell", "data-label": label })),
    bar("Against the canary"), bar("For the next weight"));
}

function drawBar(cell, name, towards, colour) {
  const [bar, said] = cell.children;
  show(bar, towards !== null);
  put(said, towards === null ? "–" : towards.said);
  if (towards === null) return;
  if (bar.value !== towards.share) bar.value = towards.share;
  mark(bar, "class", colour);
  mark(bar, "aria-label", `${name}: ${cell.dataset.label}`);
}

function drawRow(element, row) {
  const cells = element.children;
  [row.name, row.canary, row.stable, row.difference].forEach((text, i) => put(cells[i], text));
  drawBar(cells[4], row.name, row.against, "against");
  drawBar(cells[5], row.name, row.next, "next");
}

/* One rollout on the page. */
class Card {
  constructor(name, ask) {
    const content = document.getElementById("card").content.cloneNode(true);
    this.element = content.querySelector("article");
    this.name = name;
    this.ask = ask;
    const heading = this.find("h3");
    heading.id = `card-${Card.count++}`;
    this.element.setAttribute("aria-labelledby", heading.id);
  }

  static count = 0;

  find(selector) {
    return this.element.querySelector(selector);
  }

  draw(rollout, mayAsk) {
    this.rollout = rollout;
    mark(this.element, "data-kind", rollout.kind);
    put(this.find("h3"), rollout.target);
    put(this.find(".state"), rollout.state);
    put(this.find(".where"), rollout.where);
    put(this.find(".arms"), rollout.arms);
    const weight = this.find(".weight progress");
    if (weight.value !== rollout.weight) weight.value = rollout.weight;
    mark(weight, "aria-label", `${rollout.target}: the canary's weight`);
    put(this.find(".weight span"), `${rollout.weight} %`);
    this.drawPlot(rollout);
    show(this.find(".rows"), rollout.rows.length > 0);
    fill(this.find(".rows tbody"), rollout.rows, makeRow, drawRow);
    list(this.find(".waiting"), rollout.waiting.map((each) => (rollout.isOver ? each : `waits for: ${each}`)));
    list(this.find(".doubts"), rollout.doubts);
    list(this.find(".unread"), rollout.unread);
    list(this.find(".decisions"), rollout.decisions);
    list(this.find(".conditions"), rollout.conditions.map((each) => `${each.holds}: ${each.said}`));
    for (const details of this.element.querySelectorAll("details")) {
      show(details, details.querySelector("li") !== null);
    }
    mark(this.find(".report"), "href", rollout.report);
    mark(this.find(".report"), "aria-label", `Report of ${rollout.target}`);
    this.drawButtons(mayAsk ? rollout.may : []);
  }

  drawPlot({ target, plot, rows }) {
    show(this.find(".plot"), plot !== null);
    if (plot === null) return;
    for (const line of ["weight", "against"]) mark(this.find(`.plot .${line}`), "points", plot[line]);
    const now = rows[rows.length - 1].against?.said ?? rows[0].against.said;
    mark(this.find(".plot svg"), "aria-label", `${target}: evidence against the canary over time, now ${now}`);
  }

  drawButtons(verbs) {
    const buttons = this.find(".buttons");
    fill(buttons, verbs, () => {
      const button = made("button", { type: "button" });
      button.addEventListener("click", () => this.ask(this, button.textContent));
      return button;
    }, (button, verb) => {
      put(button, verb);
      mark(button, "aria-label", `${verb} ${this.rollout.target}`);
    });
    show(buttons, verbs.length > 0);
  }

  /* What changes by the second alone. */
  tick(now) {
    const { began, entered, looked, isOver, isIdle } = this.rollout;
    if (!began) return put(this.find(".times"), "");
    const said = isOver
      ? `ended ${duration(now - looked)} ago, after ${duration(looked - began)}`
      : `here for ${duration(now - entered)}, began ${duration(now - began)} ago, last look ${duration(now - looked)} ago`;
    const idle = "no promoter is at work; run goes on from here";
    put(this.find(".times"), isIdle ? `${said}: ${idle}` : said);
    this.find(".times").classList.toggle("idle", isIdle);
  }

  answer(said) {
    put(this.find(".answer"), said);
  }
}
