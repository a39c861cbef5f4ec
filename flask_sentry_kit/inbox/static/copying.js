// Buttons that copy: data-clip is the #id of an element, or an address whose answer is copied.

const LONG = 2000; // milliseconds that a button says what it did

function show() {
  for (const button of document.querySelectorAll("[data-clip]")) button.hidden = false;
}

async function textOf(source) {
  if (source.startsWith("#")) return document.querySelector(source).textContent;
  const answer = await fetch(source, { headers: { Accept: "text/markdown" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

// Without the clipboard's interface, which a page under plain HTTP has on localhost only.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is not allowed");
}

async function copy(button) {
  const text = textOf(button.dataset.clip);
  try {
    // Safari takes a promise only, made while the click is handled.
    const item = new ClipboardItem({ "text/plain": text.then((said) => new Blob([said], { type: "text/plain" })) });
    await navigator.clipboard.write([item]);
  } catch {
    copyBySelection(await text);
  }
}

document.addEventListener("click", async function (event) {
  const button = event.target.closest("[data-clip]");
  if (!button || button.dataset.label) return;
  button.dataset.label = button.textContent;
  try {
    await copy(button);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Could not be copied";
  }
  button.focus();
  setTimeout(function () {
    button.textContent = button.dataset.label;
    delete button.dataset.label;
  }, LONG);
});

document.addEventListener("refreshed", show);
show();
