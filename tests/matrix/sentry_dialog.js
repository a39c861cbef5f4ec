// A dialog that behaves as Sentry's own does: it stands in the page's own markup, requires a name and
// an email address beside the words, and says so only once the server has refused them. The server
// adds the address of the form, the markup and the texts as arguments.
(function (endpoint, markup, texts) {
  "use strict";

  const wrapper = document.createElement("div");
  wrapper.className = "sentry-error-embed-wrapper";
  wrapper.innerHTML = markup; // which a page that requires Trusted Types does not allow
  const form = wrapper.querySelector("form");
  const [send, close] = form.querySelectorAll("button");
  const fields = [...form.querySelectorAll("input, textarea")];

  function say(where, kind, text) {
    const line = document.createElement("p");
    line.className = `message-${kind}`;
    line.append(text);
    form.querySelector(where).replaceChildren(line);
  }

  send.onclick = (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.onloadend = () => {
      if (request.status === 200) {
        say(".form-content", "success", texts.successMessage);
        form.querySelector(".error-wrapper").replaceChildren();
        send.remove();
        return;
      }
      const wrong = request.status === 400 ? JSON.parse(request.responseText).errors : null;
      for (const field of fields) {
        field.parentNode.classList.toggle("form-errors", Boolean(wrong && wrong[field.name]));
      }
      say(".error-wrapper", "error", wrong ? texts.errorFormEntry : texts.errorGeneric);
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
