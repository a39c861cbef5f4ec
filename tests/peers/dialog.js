// The crash dialog of a stand-in, in the shape of Sentry's: an element of that class name, a form that
// insists on name and address, and a window message when it closes. The server adds the options, the
// form's address among them, as this function's argument.
(function (options) {
  "use strict";

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  }

  function open() {
    const fields = {
      name: make("input", { name: "name", type: "text" }),
      email: make("input", { name: "email", type: "email" }),
      comments: make("textarea", { name: "comments" }),
    };
    fields.name.value = options.name || "";
    fields.email.value = options.email || "";
    const status = make("p", { class: "message-error" });
    const send = make("button", { type: "submit" }, options.labelSubmit);
    const close = make("button", { type: "button" }, options.labelClose);
    const form = make("form", { novalidate: "" }, ...Object.values(fields), status, send);
    const box = make("div", { class: "sentry-error-embed" }, form, close);
    const wrapper = make("div", { class: "sentry-error-embed-wrapper" }, box);
    wrapper.style.cssText = "position: fixed; inset: 0; z-index: 99999; background: white";
    document.body.append(wrapper);

    form.addEventListener("submit", async function (event) {
      event.preventDefault();
      status.textContent = "";
      let code = 0;
      try {
        const answer = await fetch(options.endpoint, {
          method: "POST",
          body: new URLSearchParams(new FormData(form)),
        });
        code = answer.status;
      } catch {
        // as an answer that is none
      }
      if (code === 200) {
        form.replaceWith(make("p", { class: "message-success" }, options.successMessage));
      } else {
        status.textContent = code === 400 ? options.errorFormEntry : options.errorGeneric;
      }
    });
    close.addEventListener("click", function () {
      wrapper.remove();
      window.postMessage("__sentry_reportdialog_closed__", "*");
    });
  }

  if (document.body) open();
  else document.addEventListener("DOMContentLoaded", open);
})
