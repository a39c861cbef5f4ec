// The inbox's shortcuts, and updates of an open page. Every page works without this script.
"use strict";

(function () {
  const body = document.body;

  function rows() {
    return Array.from(document.querySelectorAll("[data-row]"));
  }

  function move(step) {
    const all = rows();
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step;
    if (all[next]) {
      all[next].focus();
      all[next].scrollIntoView({ block: "nearest" });
    }
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select")) return;
    if (rows().length && (event.key === "j" || event.key === "k")) {
      move(event.key === "j" ? 1 : -1);
    } else if (/^[a-z]$/.test(event.key)) {
      const link = document.querySelector('[data-key="' + event.key + '"]');
      if (!link) return;
      link.click();
    } else {
      return;
    }
    event.preventDefault();
  });

  // Back from a crash, focus the row that was left.
  function resume() {
    const row = /^#(c-[0-9a-f]+|words)$/.test(location.hash) && document.querySelector(location.hash);
    if (row) row.focus();
  }

  // Mark an open crash as read. Without script a form does it; loading the page never does, so
  // that no other site can do it with a link.
  const unread = document.querySelector("form[data-read]");
  if (unread) {
    unread.hidden = true;
    // Goes on where the reader leaves the page at once.
    fetch(unread.action, { method: "POST", redirect: "manual", keepalive: true }).catch(function () {
      unread.hidden = false;
    });
  }

  // Not DOMParser, which the pages' policy allows no text to be given to.
  function read(address) {
    return new Promise(function (resolve, reject) {
      const request = new XMLHttpRequest();
      request.open("GET", address);
      request.responseType = "document";
      request.setRequestHeader("Accept", "text/html");
      request.onload = function () {
        resolve(request.status === 200 ? request.response : null);
      };
      request.onerror = reject;
      request.send();
    });
  }

  async function refresh() {
    const fresh = await read(location.href);
    if (!fresh) return;
    document.title = fresh.title;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      // A part of the page that somebody is using stays as it is.
      if (!now || now.innerHTML === old.innerHTML || old.querySelector("details:focus-within")) continue;
      const row = document.activeElement.closest("[data-row]");
      old.replaceChildren(...now.childNodes);
      if (row && document.getElementById(row.id)) document.getElementById(row.id).focus();
    }
    const bar = document.querySelector(".home small");
    const count = fresh.querySelector(".home small");
    if (bar && count) bar.replaceWith(count);
    else if (bar) bar.remove();
    else if (count) document.querySelector(".home").append(" ", count);
  }

  let seen = body.dataset.changes;

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(body.dataset.pulse);
      const changes = String((await answer.json()).changes);
      if (changes === seen) return;
      seen = changes;
      await refresh();
    } catch {
      // The inbox may be restarting. Look again next time.
    }
  }

  resume();
  if (body.dataset.pulse) {
    setInterval(look, 2000);
    document.addEventListener("visibilitychange", look);
  }
})();
