// Keeps an open page up to date: it reads the page again after a change and takes over what differs.
//
// A list that its reader is about to click does not move. What arrives meanwhile is counted on a
// button, and comes in when the reader presses it or leaves the list.

import { morph } from "./morph.js";

const KINDS = ["event", "words", "read", "unread", "resolved", "reopened", "kept", "unkept", "deleted", "reset"];

// Milliseconds.
const BETWEEN = 1000; // two readings of a page, at least
const POLL = 10000; // between two questions, where there is no stream
const STREAM_AGAIN = 60000; // until a stream is asked for once more
const AT_REST = 20000; // since the last move of a reader who may have gone

const { changes, pulse, stream, about } = document.body.dataset;

let seen = Number(changes); // the number of the latest change that is shown
let source = null;
let due = null;
let last = 0;
let reading = null;

// Reading the page again

// Read the page again now. `force`: the reader asked for it, so that the list may move.
export async function refresh(force = false) {
  clearTimeout(due);
  due = null;
  if (reading) await reading.catch(() => {});
  reading = load("GET", location.href).then(({ status, page }) => status === 200 && show(page, force));
  try {
    await reading;
  } finally {
    reading = null;
    last = performance.now();
  }
}

// Send a form, and show the list that is answered.
export async function send(address, body) {
  const { status, page } = await load("POST", address, body);
  if (status !== 200) {
    const said = page && page.querySelector("main p");
    throw new Error(said ? said.textContent : `The inbox answered ${status}.`);
  }
  show(page, true);
}

// Not by DOMParser, which the pages' policy gives no text to.
function load(method, address, body = null) {
  return new Promise(function (resolve, reject) {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.onload = () => resolve({ status: request.status, page: request.response });
    request.onerror = () => reject(new Error("The inbox does not answer. Is it still running?"));
    request.send(body);
  });
}

function show(fresh, force) {
  const number = Number(fresh.body.dataset.changes) || 0;
  // Of two answers the later may show the earlier state.
  if (number < seen) return;
  seen = number;
  document.title = fresh.title;
  const icon = document.querySelector("link[rel=icon]");
  const now = fresh.querySelector("link[rel=icon]").getAttribute("href");
  if (icon.getAttribute("href") !== now) icon.setAttribute("href", now);
  if (document.hidden) return;
  hold(fresh, force);
  for (const old of document.querySelectorAll("[data-live]")) {
    const same = fresh.getElementById(old.id);
    if (same) morph(old, same);
  }
  document.dispatchEvent(new Event("refreshed"));
}

function schedule() {
  if (due !== null) return;
  const wait = Math.max(0, last + BETWEEN - performance.now());
  due = setTimeout(() => refresh().catch(() => {}), wait);
}

// Holding the list still

let moved = 0; // when the reader last moved the pointer or pressed a key
let inside = false; // whether the pointer is over the list
let stamps = null; // what the rows showed when the list was last put in order
let held = false; // whether something waits to come in
let released = null;

const list = () => document.querySelector("ol.list");
const news = () => document.getElementById("news");

function rows(parent) {
  return parent ? [...parent.children] : [];
}

function isHeld() {
  const present = list();
  if (!present) return false;
  if (present.getBoundingClientRect().top < 0) return true;
  if (performance.now() - moved > AT_REST) return false;
  return inside || present.contains(document.activeElement) || Boolean(present.querySelector(":checked"));
}

function stampsOf(parent) {
  return new Map(rows(parent).map((row) => [row.dataset.crash, row.dataset.stamp]));
}

// Give a newer page's list the order of the present one, as long as the reader needs it.
function hold(fresh, force) {
  const present = list();
  const newer = fresh.querySelector("ol.list");
  clearTimeout(released);
  if (!present || !newer) return stop();
  stamps = stamps || stampsOf(present);
  const order = (parent) => rows(parent).map((row) => row.dataset.crash).join();
  if (force || order(present) === order(newer) || !isHeld()) {
    stamps = stampsOf(newer);
    return stop();
  }
  const arrived = rows(newer).filter((row) => stamps.get(row.dataset.crash) !== row.dataset.stamp);
  const byKey = new Map(rows(newer).map((row) => [row.dataset.crash, row]));
  newer.replaceChildren(
    ...rows(present).map(function (row) {
      const same = byKey.get(row.dataset.crash) || row.cloneNode(true);
      same.classList.toggle("gone", !byKey.has(row.dataset.crash));
      return same;
    }),
  );
  held = true;
  news().hidden = !arrived.length;
  news().textContent = `${arrived.length} new`;
  released = setTimeout(release, AT_REST);
}

function stop() {
  held = false;
  if (news()) news().hidden = true;
}

// Let in what is waiting, once the reader has left the list.
function release() {
  if (!held) return;
  clearTimeout(released);
  if (isHeld()) released = setTimeout(release, AT_REST);
  else schedule();
}

function watchReader() {
  // A finger is over what it touched last.
  for (const kind of ["pointermove", "pointerdown"]) {
    document.addEventListener(kind, function (event) {
      moved = performance.now();
      const was = inside;
      inside = Boolean(event.target.closest("ol.list"));
      if (was && !inside) release();
    });
  }
  document.documentElement.addEventListener("pointerleave", function (event) {
    if (event.pointerType === "mouse") inside = false;
    release();
  });
  document.addEventListener("keydown", () => (moved = performance.now()), true);
  document.addEventListener("focusout", () => setTimeout(release));
  document.addEventListener("scroll", release, { passive: true });
  document.addEventListener("click", function (event) {
    if (event.target.id !== "news") return;
    scrollTo(0, 0);
    refresh(true).catch(() => {});
  });
}

// Hearing of changes

function concerns(change) {
  return !about || !change.crash || change.crash === about || change.kind === "deleted";
}

function heard(event) {
  let change = {};
  try {
    change = JSON.parse(event.data);
  } catch {
    // Read the page again, whatever it was.
  }
  // The numbers may have begun anew.
  if (event.type === "reset") seen = -1;
  if (!(change.number <= seen) && concerns(change)) schedule();
}

// Ask for the number of the latest change.
async function look() {
  try {
    const answer = await fetch(pulse);
    const number = (await answer.json()).changes;
    if (number === seen) return;
    if (number < seen) seen = -1;
    schedule();
  } catch {
    // The inbox may be restarting. Ask again next time.
  }
}

function listen() {
  if (!stream || source || document.hidden) return;
  source = new EventSource(`${stream}?after=${Math.max(seen, 0)}`);
  for (const kind of KINDS) source.addEventListener(kind, heard);
  source.onerror = function () {
    // It resumes after an interruption, but not after a refusal.
    if (source && source.readyState === EventSource.CLOSED) {
      mute();
      setTimeout(listen, STREAM_AGAIN);
    }
  };
}

function mute() {
  if (source) source.close();
  source = null;
}

export function follow() {
  if (!pulse) return;
  watchReader();
  listen();
  // A browser opens six connections to one server. A tab that nobody sees leaves them to the others.
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) return mute();
    schedule();
    listen();
  });
  addEventListener("pagehide", mute);
  addEventListener("pageshow", function (event) {
    // The browser kept the page while another was shown.
    if (!event.persisted) return;
    schedule();
    listen();
  });
  setInterval(() => source || look(), POLL);
}
