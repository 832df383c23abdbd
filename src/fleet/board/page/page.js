// The page of a station. Everything that comes from the station is shown as text, never as markup.
"use strict";

const SILENT_MS = 4000; // The server gives a sign of life every second.
const AGAIN_MS = 1000;
const NOTICE_S = 60;
const asked = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
const slots = new Map(); // name -> { tile, seen, at }

let words, language, station, today, source;
let notice; // { text, until }
let heard = performance.now();
let over = false;

const word = (key) => words[language][key] ?? key;
const number = (value, digits) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const seconds = (value) => (value == null ? "–" : `${number(value, value < 100 ? 1 : 0)} s`);

function bytesPerSecond(rate) {
  if (rate == null) return "";
  return rate >= 1e6 ? `${number(rate / 1e6, 1)} MB/s` : `${number(rate / 1e3, 0)} kB/s`;
}

// --- What the server tells -------------------------------------------------------------------------------------------

function connect() {
  source?.close();
  heard = performance.now();
  const token = asked.get("token");
  const query = token ? `?token=${encodeURIComponent(token)}` : "";
  source = new EventSource(`events${query}`);
  source.addEventListener("snapshot", (message) => snapshot(JSON.parse(message.data)));
  source.addEventListener("change", (message) => change(JSON.parse(message.data)));
  source.addEventListener("beat", alive);
  source.onerror = () => {
    source.close();
    lost();
    // An event source does not say why it got nothing.
    fetch(`state${query}`).then((answer) => answer.status === 401 && link("denied")).catch(() => {});
    setTimeout(connect, AGAIN_MS);
  };
}

function alive() {
  heard = performance.now();
  link(over ? "over" : "live");
}

function lost() {
  if (document.body.dataset.link !== "denied") link(over ? "over" : "lost");
}

function snapshot(all) {
  if (station && station.version !== all.station.version) {
    location.reload(); // The server is another one, and so is its page.
    return;
  }
  station = all.station;
  byId("slots").replaceChildren();
  slots.clear();
  change(all);
  arrange();
  head();
}

function change(told) {
  over = told.over;
  today = told.today;
  notice = told.notice && { text: told.notice.text, until: performance.now() + 1000 * (NOTICE_S - told.notice.seconds) };
  told.slots.forEach(keep);
  alive();
  figures();
  remark();
}

// --- The tiles -------------------------------------------------------------------------------------------------------

function keep(seen) {
  let slot = slots.get(seen.name);
  if (!slot) {
    const tile = byId("tile").content.firstElementChild.cloneNode(true);
    slot = { tile };
    slots.set(seen.name, slot);
    byId("slots").append(tile);
  }
  slot.seen = seen;
  slot.at = performance.now();
  draw(slot);
}

function draw({ tile, seen, at }) {
  const put = (where, text) => { tile.querySelector(where).textContent = text ?? ""; };
  const failed = seen.state === "fail";
  tile.dataset.state = seen.state;
  tile.dataset.slot = seen.name;
  put("h2", seen.name);
  put(".state span", word(seen.state));
  tile.querySelector("use").setAttribute("href", `#${seen.state}`);
  const attempt = seen.attempt > 1 ? ` · ${word("attempt")} ${seen.attempt}` : "";
  put(".phase", seen.state === "busy" && seen.phase ? word(`phase.${seen.phase}`) + attempt : "");
  put(".wants", seen.wants ? word(`wants.${seen.wants}`) : "");
  put(".last", seen.state === "waiting" && seen.last_passed != null ? word(seen.last_passed ? "last.pass" : "last.fail") : "");
  const [reason, action] = failed ? words.failures[seen.code]?.[language] ?? [seen.code, ""] : ["", ""];
  put(".reason", reason);
  put(".action", action);
  put(".flash", failed ? word(seen.changed ? "changed" : "unchanged") : "");
  const more = failed ? [seen.message, ...seen.hints] : [seen.message, ...seen.warnings];
  put(".message", more.filter(Boolean).join(" — "));
  put(".module", seen.revision ?? seen.ordering_code);
  put(".imei", seen.imei);
  const image = seen.image;
  const share = image && image.total ? Math.min(image.done / image.total, 1) : 0;
  tile.querySelector(".bar div").style.transform = `scaleX(${share})`;
  tile.classList.toggle("measured", Boolean(image));
  put(".image", image ? `${image.name} ${number(share * 100, 0)} %` : "");
  put(".rate", image ? bytesPerSecond(image.rate) : "");
  if (failed) fit(tile);
  tick({ tile, seen, at });
}

// Long words become smaller, so that none are cut.
function fit(tile) {
  const middle = tile.querySelector(".middle");
  for (let size = 1; size > 0.4; size -= 0.05) {
    tile.style.setProperty("--fit", size);
    if (middle.scrollHeight <= middle.clientHeight) return;
  }
}

function tick({ tile, seen, at }) {
  const since = seen.state === "busy" && document.body.dataset.link === "live" ? (performance.now() - at) / 1000 : 0;
  tile.querySelector(".seconds").textContent = seen.seconds == null ? "" : seconds(seen.seconds + since);
}

// As many columns as make the tiles as large as they can be.
function arrange() {
  const room = byId("slots").getBoundingClientRect();
  let best = { size: 0, columns: 1, rows: 1 };
  for (let columns = 1; columns <= slots.size; columns += 1) {
    const rows = Math.ceil(slots.size / columns);
    const full = slots.size / (columns * rows);
    const size = Math.min(room.width / columns / 1.9, room.height / rows) * Math.sqrt(full);
    if (size > best.size) best = { size, columns, rows };
  }
  const style = byId("slots").style;
  style.setProperty("--columns", best.columns);
  style.setProperty("--rows", best.rows);
  slots.forEach(({ tile, seen }) => seen.state === "fail" && fit(tile));
}

// --- Head ------------------------------------------------------------------------------------------------------------

function head() {
  byId("line").textContent = `${word("line")} ${station.line}`;
  byId("station").textContent = `${word("station")} ${station.station}`;
  document.title = `${station.line} ${station.station} · qpyflash`;
  byId("products").replaceChildren(...station.products.map((product) => {
    const row = document.createElement("li");
    const code = document.createElement("b");
    code.textContent = product.ordering_code;
    row.append(code, ` ${product.package}`);
    return row;
  }));
}

function figures() {
  const count = { waiting: 0, busy: 0, pass: 0, fail: 0, out: 0 };
  slots.forEach(({ seen }) => { count[seen.state] += 1; });
  ["waiting", "busy", "pass", "fail"].forEach((state) => { byId(`count-${state}`).textContent = number(count[state], 0); });
  const share = today?.first_pass_yield;
  byId("yield").textContent = share == null ? "–" : `${number(share * 100, 1)} %`;
  byId("cycle").textContent = seconds(today?.median_seconds);
  byId("last").textContent = seconds(today?.last_seconds);
  byId("modules").textContent = today ? number(today.modules, 0) : "–";
}

// What concerns no slot, for a while.
function remark() {
  const place = byId("notice");
  const told = notice && performance.now() < notice.until ? notice.text : "";
  if (place.textContent === told) return;
  place.textContent = told;
  place.hidden = !told;
  arrange();
}

function link(state) {
  if (document.body.dataset.link === state) return;
  document.body.dataset.link = state;
  say();
}

function say() {
  const state = document.body.dataset.link;
  const bad = ["lost", "over", "denied"].includes(state);
  byId("live").textContent = bad ? word(state) : word("live");
  const banner = byId("banner");
  banner.hidden = !bad;
  banner.querySelector("b").textContent = bad ? word(state) : "";
  banner.querySelector("span").textContent = bad ? word(`${state}.more`) : "";
  if (slots.size) arrange();
}

function speak(wanted) {
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-word]").forEach((place) => { place.textContent = word(place.dataset.word); });
  byId("switch").textContent = word("switch");
  if (station) head();
  slots.forEach(draw);
  figures();
  say();
  clock();
}

function clock() {
  const locale = language === "zh" ? "zh-CN" : "en-GB";
  byId("clock").textContent = new Date().toLocaleTimeString(locale, { hour12: false });
}

// --- Life ------------------------------------------------------------------------------------------------------------

async function begin() {
  words = await (await fetch("words.json")).json();
  const wanted = asked.get("lang") ?? navigator.language ?? "en";
  speak(wanted.toLowerCase().startsWith("zh") ? "zh" : "en");
  const other = () => speak(language === "zh" ? "en" : "zh");
  byId("switch").addEventListener("click", other);
  addEventListener("keydown", (key) => { if (key.key === "l" && !key.ctrlKey && !key.metaKey) other(); });
  addEventListener("resize", arrange);
  setInterval(() => {
    clock();
    slots.forEach(tick);
    remark();
    if (performance.now() - heard > SILENT_MS) {
      lost();
      connect();
    }
  }, 500);
  connect();
}

// Without the words nothing can be said: the server may have just gone.
const start = () => begin().catch(() => setTimeout(start, AGAIN_MS));
start();
