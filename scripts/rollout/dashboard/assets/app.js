"use strict";
/* The page: reads the server's events, draws what changed, sends people's requests.

   The token comes in the address's fragment, which no server is ever sent. It is kept for
   this tab alone and goes into a header, so no other site's page can send it. */

const find = (id) => document.getElementById(id);
const RETRY_MS = 1000, QUIET_MS = 40000;
const KEY = "token";
const cards = new Map();
let version = 0, ahead = 0, mayAsk = false, asked = null, heard = Date.now();

if (location.hash.length > 1) {
  sessionStorage.setItem(KEY, location.hash.slice(1));
  history.replaceState(null, "", "/");
}

function send(path, more = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}`, ...more.headers };
  return fetch(path, { ...more, headers });
}

async function listen() {
  const ended = new AbortController();
  const silence = setInterval(() => Date.now() - heard > QUIET_MS && ended.abort(), RETRY_MS);
  try {
    heard = Date.now();
    const answer = await send("/api/events", { signal: ended.signal });
    if (!answer.ok) throw new Error(await answer.text());
    await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    throw new Error("the dashboard has ended");
  } catch (error) {
    put(find("connection"), `Not connected: ${error.message}`);
  } finally {
    clearInterval(silence);
  }
  setTimeout(listen, RETRY_MS);
}

async function read(reader) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard = Date.now();
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) if (event.startsWith("data: ")) draw(JSON.parse(event.slice(6)));
  }
}

function draw(news) {
  ahead = news.now - Date.now() / 1000;
  mayAsk = news.mayAsk;
  put(find("connection"), mayAsk ? "Live" : "Live, read only");
  list(find("troubles"), news.troubles);
  for (const [name, rollout] of Object.entries(news.cards)) drawCard(name, rollout);
  for (const [name, card] of cards) if (!news.order.includes(name)) remove(name, card);
  arrange(news.order.map((name) => cards.get(name).element));
  show(find("none"), news.order.length === 0);
  if (news.ended) drawEnded(news.ended);
  tick();
}

function drawCard(name, rollout) {
  const card = cards.get(name) ?? new Card(name, ask);
  const before = card.rollout?.state;
  cards.set(name, card);
  card.draw(rollout, mayAsk);
  const place = (state) => state?.split("  ")[0];
  if (before && place(before) !== place(rollout.state)) put(find("news"), `${rollout.target}: ${place(rollout.state)}`);
}

function remove(name, card) {
  card.element.remove();
  cards.delete(name);
}

/* An element that is moved loses the focus, so none is that stands right. */
function arrange(elements) {
  const parent = find("cards");
  elements.forEach((element, i) => {
    if (parent.children[i] !== element) parent.insertBefore(element, parent.children[i] ?? null);
  });
}

function drawEnded(rows) {
  const make = () => made("tr", { role: "row" },
    made("td", { role: "cell", "data-label": "Ended" }), made("th", { role: "rowheader", scope: "row" }, made("a", { target: "_blank", rel: "noopener" }), made("span", {})),
    ...["Verdict", "Took", "Bad answers served"].map((label) => made("td", { role: "cell", "data-label": label })),
    made("td", { role: "cell", "data-label": "Asked for, by whom" }, made("ul", {})));
  fill(find("ended").tBodies[0], rows, make, (element, row) => {
    const cells = element.children;
    put(cells[0], new Date(row.ended * 1000).toLocaleString());
    const [link, arms] = cells[1].children;
    put(link, row.target);
    mark(link, "href", row.report);
    put(arms, ` ${row.arms}, ${row.where}`);
    [row.verdict, row.took, row.bad].forEach((text, i) => put(cells[i + 2], text));
    mark(cells[2], "title", row.said);
    list(cells[5].firstElementChild, row.asked);
  });
  show(find("ended"), rows.length > 0);
}

function tick() {
  const now = Date.now() / 1000 + ahead;
  for (const card of cards.values()) card.tick(now);
}

function ask(card, verb) {
  asked = { card, verb };
  put(find("question"), `${verb} ${card.rollout.target}`);
  put(find("effect"), EFFECTS[verb]);
  put(find("yes"), verb);
  find("reason").value = "";
  find("reason").required = verb === "promote";
  find("full").checked = false;
  show(find("fully"), verb === "promote");
  find("asking").showModal();
  find("reason").focus();
}

async function carryOut({ card, verb }, reason) {
  card.answer(`${verb}: asked for, waiting for the answer`);
  try {
    const body = JSON.stringify({ id: card.name, verb, reason });
    const answer = await send("/api/ask", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    const text = await answer.text();
    const said = answer.headers.get("Content-Type")?.startsWith("application/json") ? JSON.parse(text).said : text;
    card.answer(answer.ok ? `${verb}, taken: ${said}` : `refused: ${said}`);
  } catch (error) {
    card.answer(`${verb} was not sent: ${error.message}`);
  }
}

find("no").addEventListener("click", () => find("asking").close());
find("asking").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const verb = asked.verb === "promote" && find("full").checked ? "promote-full" : asked.verb;
  find("asking").close();
  carryOut({ ...asked, verb }, find("reason").value);
});
setInterval(tick, 1000);
listen();
