// What the inbox's pages do with a script: keys, updates, copying. Every page works without it.

import "./copying.js";
import { startKeys } from "./keys.js";
import { follow } from "./live.js";
import { startList } from "./picking.js";

// Mark an open crash as read. Without script a form does it; loading the page never does, so that
// no other site can do it with a link.
const unread = document.querySelector("form[data-read]");
if (unread) {
  unread.hidden = true;
  // Goes on where the reader leaves the page at once.
  fetch(unread.action, { method: "POST", redirect: "manual", keepalive: true }).catch(function () {
    unread.hidden = false;
  });
}

// Back from a crash, focus the row that was left.
function resume() {
  const row = /^#(c-[0-9a-f]+|words)$/.test(location.hash) && document.querySelector(location.hash);
  if (row) row.focus();
}

// A button that opens a dialog is hidden until there is a script to do it.
function showOpeners() {
  for (const button of document.querySelectorAll("[data-open]")) button.hidden = false;
}

document.addEventListener("click", function (event) {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  for (const help of document.querySelectorAll("details.help[open]")) {
    if (!help.contains(event.target)) help.open = false;
  }
});

document.addEventListener("refreshed", showOpeners);
showOpeners();
resume();
startKeys();
startList();
follow();
