// What the inbox's pages do with a script: keys, updates, copying. Every page works without it.

import { startKeys } from "./keys.js";
import { startList } from "./picking.js";
import { follow } from "./live.js";

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

// Buttons that work only with a script are hidden until it is here.
function showButtons() {
  for (const own of document.querySelectorAll("[data-copy], [data-open]")) own.hidden = false;
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Read over plain HTTP under another name than localhost, a page has no clipboard of its own.
    const area = document.createElement("textarea");
    area.value = text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = button.textContent;
  if (label === "Copied") return;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 2000);
}

document.addEventListener("click", function (event) {
  const button = event.target.closest("[data-copy], [data-open]");
  if (button && button.dataset.copy) copy(button);
  if (button && button.dataset.open) document.getElementById(button.dataset.open).showModal();
  for (const help of document.querySelectorAll("details.help[open]")) {
    if (!help.contains(event.target)) help.open = false;
  }
});

document.addEventListener("refreshed", showButtons);
showButtons();
resume();
startKeys();
startList();
follow();
