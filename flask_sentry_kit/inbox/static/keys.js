// Shortcuts. A link or button says its own with data-key; the list adds its own with onKey().

const handlers = new Map();
let first = "";

// Call `run(event)` when the key is pressed. It returns false if it has nothing to do.
export function onKey(key, run) {
  handlers.set(key, run);
}

function types(target) {
  const field = target.closest("input, textarea, select, [contenteditable]");
  return field && !(field.matches("[type=checkbox]"));
}

// The letter on the key where the layout has none of the Latin alphabet.
function nameOf(event) {
  const isOther = event.key.length === 1 && event.key > "\u007f" && /^Key[A-Z]$/.test(event.code);
  return isOther ? event.code[3].toLowerCase() : event.key;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.isComposing) return;
  if (event.key === "Escape" && event.target.id === "q") event.target.blur();
  if (types(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    for (const help of document.querySelectorAll("details.help[open]")) {
      if (help.contains(event.target)) help.querySelector("summary").focus();
      help.open = false;
    }
  }
  // "g" waits a second for the next key.
  const key = first ? first + " " + nameOf(event) : nameOf(event);
  first = "";
  if (run(key, event)) {
    event.preventDefault();
  } else if (key === "g" && !event.repeat) {
    first = "g";
    setTimeout(() => (first = ""), 1000);
  }
}

function run(key, event) {
  if (event.repeat && key !== "j" && key !== "k") return false;
  const handler = handlers.get(key);
  if (handler && handler(event) !== false) return true;
  if (!/^([a-z#]|g [a-z])$/.test(key)) return false;
  const link = document.querySelector(`[data-key="${key}"]`);
  if (!link) return false;
  link.click();
  return true;
}

export function startKeys() {
  const box = document.getElementById("q");
  onKey("/", function () {
    box.focus();
    box.select();
  });
  onKey("?", () => document.getElementById("keys").showModal());
  onKey("g i", () => location.assign(box.form.action));
  document.addEventListener("keydown", pressed);
}
