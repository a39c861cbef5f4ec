// Makes a part of the page like a newer one, and touches only what differs: what the reader has
// focused, selected, unfolded or scrolled stays. An element with data-own belongs to the scripts,
// and is left as it is.

const ELEMENT = 1;

// What the newer page cannot know.
const STATE = { DETAILS: "open", DIALOG: "open" };

export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== ELEMENT) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-own")) return;
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

function morphAttributes(old, fresh) {
  const kept = STATE[old.nodeName];
  for (const { name } of [...old.attributes]) {
    if (name !== kept && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== kept && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// A child that has a name is the same child wherever it is now.
function nameOf(node) {
  return node.nodeType === ELEMENT ? node.dataset.crash || node.id : "";
}

function parts(parent) {
  // Between the items of a list there is only white space.
  return /^[OU]L$/.test(parent.nodeName) ? [...parent.children] : [...parent.childNodes];
}

function morphChildren(old, fresh) {
  const wanted = parts(fresh);
  const names = new Set(wanted.map(nameOf));
  const found = new Map();
  for (const child of parts(old)) {
    const name = nameOf(child);
    if (name && !names.has(name)) child.remove();
    else if (name) found.set(name, child);
  }
  const step = /^[OU]L$/.test(old.nodeName) ? "nextElementSibling" : "nextSibling";
  let at = step === "nextSibling" ? old.firstChild : old.firstElementChild;
  for (const want of wanted) {
    const name = nameOf(want);
    const same = name ? found.get(name) : at && !nameOf(at) && at.nodeName === want.nodeName && at;
    if (!same || same.nodeName !== want.nodeName) {
      old.insertBefore(want, at);
      continue;
    }
    if (same === at) at = at[step];
    else move(old, same, at);
    morph(same, want);
  }
  while (at) {
    const next = at[step];
    at.remove();
    at = next;
  }
}

function move(parent, child, before) {
  const focused = child.contains(document.activeElement) && document.activeElement;
  parent.insertBefore(child, before);
  if (focused) focused.focus({ preventScroll: true });
}
