// The list: rows are moved through, selected and changed, one or several at once.

import { onKey } from "./keys.js";
import { refresh, send } from "./live.js";

let lastPicked = null;

const form = () => document.getElementById("crashes");
const links = () => [...document.querySelectorAll("[data-row]")];
const boxes = () => [...document.querySelectorAll("input[name=key]")];
const rowOf = (node) => node && node.closest("li[data-crash]");

// Moving

function current() {
  return rowOf(document.activeElement);
}

function move(step) {
  const all = links();
  if (!all.length) return false;
  const row = current();
  const at = row ? all.indexOf(row.querySelector("[data-row]")) : -1;
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  if (!next) return true;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

// Selecting

function pick(event) {
  const box = event.target;
  const all = boxes();
  if (event.shiftKey && lastPicked && all.includes(lastPicked)) {
    const [from, to] = [all.indexOf(lastPicked), all.indexOf(box)].sort((a, b) => a - b);
    for (const other of all.slice(from, to + 1)) other.checked = box.checked;
  }
  lastPicked = box;
  showPicked();
}

function toggle() {
  const row = current();
  const box = row && row.querySelector("input[name=key]");
  if (!box) return false;
  box.checked = !box.checked;
  lastPicked = box;
  showPicked();
}

function pickAll(on) {
  for (const box of boxes()) box.checked = on;
  showPicked();
}

function showPicked() {
  const all = boxes();
  const number = all.filter((box) => box.checked).length;
  const label = document.getElementById("picked");
  if (!label) return;
  label.textContent = number ? `${number} selected` : "";
  const every = document.getElementById("pick-all");
  every.closest("label").hidden = !all.length;
  every.checked = number > 0 && number === all.length;
  every.indeterminate = number > 0 && number < all.length;
}

// Changing

// The rows that a key acts on: the selected ones, else the one in focus.
function targets() {
  const picked = boxes().filter((box) => box.checked).map(rowOf);
  const row = current();
  return picked.length ? picked : row && row.querySelector("input[name=key]") ? [row] : [];
}

// Do `action`, or `back` where all rows are in the state already.
function change(state, action, back) {
  const rows = targets();
  if (!rows.length) return false;
  const undo = rows.every((row) => row.classList.contains(state));
  // Shown at once, so that the same key pressed again takes it back.
  for (const row of rows) row.classList.toggle(state, !undo);
  perform(undo ? back : action, rows);
}

async function perform(action, rows, confirmed = false) {
  if (action === "delete" && !confirmed) return ask(rows);
  const body = new URLSearchParams();
  for (const name of ["q", "page"]) body.append(name, form().elements[name].value);
  for (const row of rows) body.append("key", row.dataset.crash);
  body.append("action", action);
  if (confirmed) body.append("confirm", "yes");
  leave(action, rows);
  try {
    await send(form().getAttribute("action"), body);
    note("");
  } catch (error) {
    note(error.message);
    refresh(true).catch(() => {});
  }
}

// Let the reader go on at once: what is done to these rows shows when the inbox has answered.
function leave(action, rows) {
  const row = current();
  for (const one of rows) one.querySelector("input[name=key]").checked = false;
  showPicked();
  if (!rows.includes(row) || !["resolve", "delete"].includes(action)) return;
  // The next row that stays, else the one before.
  for (const step of ["nextElementSibling", "previousElementSibling"]) {
    let next = row;
    while (next && rows.includes(next)) next = next[step];
    if (next) return next.querySelector("[data-row]").focus();
  }
}

function ask(rows) {
  if (!rows.length) return false;
  const dialog = document.getElementById("delete");
  document.getElementById("delete-title").textContent =
    rows.length === 1 ? "Delete this crash?" : `Delete ${rows.length} crashes?`;
  dialog.returnValue = "";
  dialog.onclose = function () {
    if (dialog.returnValue === "delete") perform("delete", rows, true);
  };
  dialog.showModal();
}

function note(text) {
  const place = document.getElementById("note");
  place.textContent = text;
  place.hidden = !text;
}

export function startList() {
  onKey("j", () => move(1));
  onKey("k", () => move(-1));
  onKey("x", toggle);
  onKey("e", () => change("resolved", "resolve", "reopen"));
  onKey("u", () => change("unread", "unread", "read"));
  onKey("m", () => change("unread", "unread", "read"));
  onKey("s", () => change("kept", "keep", "unkeep"));
  onKey("d", () => ask(targets()));
  onKey("#", () => ask(targets()));
  onKey("Escape", () => (boxes().some((box) => box.checked) ? pickAll(false) : false));
  document.addEventListener("click", function (event) {
    if (event.target.matches("input[name=key]")) pick(event);
    else if (event.target.id === "pick-all") pickAll(event.target.checked);
  });
  document.addEventListener("mousedown", function (event) {
    // Shift with the mouse selects rows, and no text.
    if (event.shiftKey && event.target.closest(".pick")) event.preventDefault();
  });
  document.addEventListener("submit", function (event) {
    const action = event.submitter && event.submitter.value;
    if (event.target !== form() || !action) return;
    event.preventDefault();
    const rows = boxes().filter((box) => box.checked).map(rowOf);
    if (rows.length || action === "read-all") perform(action, rows);
  });
  document.addEventListener("refreshed", showPicked);
  showPicked();
}
