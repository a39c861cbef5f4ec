// A dialog that behaves as Sentry's own does: it stands in the page's own markup, requires a name and
// an email address beside the words, and says so only once the server has refused them. The server
// adds the address of its form and the texts as arguments.
(function (endpoint, texts) {
  "use strict";

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  }

  const fields = [
    make("input", { type: "text", name: "name", value: texts.name }),
    make("input", { type: "email", name: "email", value: texts.email }),
    make("textarea", { name: "comments" }),
  ];
  const labels = [texts.labelName, texts.labelEmail, texts.labelComments];
  const rows = fields.map((field, at) => make("div", { class: "form-field" }, make("label", {}, labels[at]), field));
  const errors = make("div", { class: "error-wrapper" });
  const content = make("div", { class: "form-content" }, ...rows);
  const send = make("button", { type: "submit", class: "btn" }, texts.labelSubmit);
  // Without a type, as Sentry's: it would submit too.
  const close = make("button", { class: "close" }, texts.labelClose);
  const form = make("form", {}, errors, content, send, close);
  const embed = make("div", { class: "sentry-error-embed", role: "dialog", "aria-modal": "true" });
  embed.append(make("h2", {}, texts.title), make("p", {}, `${texts.subtitle} ${texts.subtitle2}`), form);
  const wrapper = make("div", { class: "sentry-error-embed-wrapper" }, embed);
  wrapper.style.cssText = "position: fixed; inset: 0; z-index: 999; overflow: auto; background: #fff";

  const say = (kind, text) => make("p", { class: `message-${kind}` }, text);

  send.onclick = (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.onloadend = () => {
      if (request.status === 200) {
        content.replaceChildren(say("success", texts.successMessage));
        errors.replaceChildren();
        send.remove();
        return;
      }
      const wrong = request.status === 400 ? JSON.parse(request.responseText).errors : null;
      fields.forEach((field, at) => rows[at].classList.toggle("form-errors", Boolean(wrong && wrong[field.name])));
      errors.replaceChildren(say("error", wrong ? texts.errorFormEntry : texts.errorGeneric));
    };
    request.open("POST", endpoint);
    request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    request.send(new URLSearchParams(fields.map((field) => [field.name, field.value])).toString());
  };

  close.onclick = (event) => {
    event.preventDefault();
    wrapper.remove();
    window.postMessage("__sentry_reportdialog_closed__", "*");
  };

  // The Tab key stays in the dialog.
  wrapper.onkeydown = (event) => {
    const [from, to] = event.shiftKey ? [fields[0], close] : [close, fields[0]];
    if (event.key !== "Tab" || document.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  };

  function open() {
    document.body.append(wrapper);
    fields[0].focus();
  }

  if (document.body) open();
  else document.addEventListener("DOMContentLoaded", open);
})
