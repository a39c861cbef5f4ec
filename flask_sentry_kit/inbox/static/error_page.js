// The crash dialog. The server adds the options and the style sheet as this function's arguments; all
// options are text, and are only used as text. The dialog opens on load and posts the window message
// "__sentry_reportdialog_closed__" when it closes, as Sentry's does.
(function (options, styles) {
  "use strict";

  // The words go to this script's own address, which is right behind any proxy or prefix.
  const source = new URL(document.currentScript.src);
  const target = new URL(source);
  target.search = new URLSearchParams({
    eventId: source.searchParams.get("eventId"),
    dsn: source.searchParams.get("dsn"),
  });
  const RTL = /^(ar|arc|ckb|dv|fa|he|iw|ps|sd|ug|ur|yi)(-|$)/i;

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children.filter(Boolean));
    return element;
  }

  function open() {
    const host = make("div", { class: "sentry-error-embed-wrapper" });
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];

    const fields = {
      comments: make("textarea", { required: "", rows: "4" }),
      name: make("input", { type: "text", autocomplete: "name", maxlength: "128" }),
      email: make("input", { type: "email", autocomplete: "email", maxlength: "75" }),
    };
    const labels = { comments: options.labelComments, name: options.labelName, email: options.labelEmail };
    const faulty = { comments: options.errorComments, email: options.errorEmail };
    const errors = {};
    const rows = [];
    for (const name in fields) {
      const field = fields[name];
      field.id = name;
      field.name = name;
      field.setAttribute("aria-describedby", name + "-error" + (name === "comments" ? "" : " why"));
      errors[name] = make("p", { class: "error", id: name + "-error", hidden: "" });
      rows.push(make("label", { for: name }, labels[name]), field, errors[name]);
    }
    fields.name.value = options.name;
    fields.email.value = options.email;

    const status = make("p", { class: "error", role: "alert" });
    const send = make("button", { type: "submit", class: "send" }, options.labelSubmit);
    const close = make("button", { type: "button", class: "close" }, options.labelClose);
    const form = make(
      "form",
      { novalidate: "" },
      ...rows,
      make("p", { class: "quiet", id: "why" }, options.noteOptional),
      status,
      make("div", { class: "deeds" }, send, close),
    );
    const title = make("h2", { id: "title" }, options.title);
    const intro = [options.subtitle, options.subtitle2].filter(Boolean).map((text) => make("p", {}, text));
    const dialog = make("dialog", { "aria-labelledby": "title" }, title, ...intro, form);
    if (options.lang) {
      dialog.lang = options.lang;
      dialog.dir = RTL.test(options.lang) ? "rtl" : "ltr";
    }
    root.append(dialog);
    document.body.append(host);

    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", function () {
      host.remove();
      window.postMessage("__sentry_reportdialog_closed__", "*");
    });
    // While somebody writes here, the page's own shortcuts must not react.
    for (const type of ["keydown", "keypress", "keyup"]) {
      host.addEventListener(type, (event) => event.stopPropagation());
    }

    function mark(faults) {
      let first = null;
      for (const name in fields) {
        const said = [].concat((faults && faults[name]) || []).join(" ");
        // Fields have a length that typing keeps to; what was filled in may be longer.
        const long = fields[name].maxLength >= 0 && fields[name].value.length > fields[name].maxLength;
        const words = (said && !long && faulty[name]) || said;
        errors[name].textContent = words;
        errors[name].hidden = !words;
        if (words) fields[name].setAttribute("aria-invalid", "true");
        else fields[name].removeAttribute("aria-invalid");
        if (words && !first) first = fields[name];
      }
      return first;
    }

    let sending = false;
    form.addEventListener("submit", async function (event) {
      event.preventDefault();
      if (sending) return;
      sending = true;
      send.setAttribute("aria-disabled", "true");
      status.textContent = "";
      mark(null);
      try {
        const answer = await fetch(target, {
          method: "POST",
          credentials: "omit",
          // Name and address may stay empty here; the server requires both, so they are filled in.
          body: new URLSearchParams({
            name: fields.name.value.trim() || "Anonymous",
            email: fields.email.value.trim() || "anonymous@anonymous.invalid",
            comments: fields.comments.value,
          }),
          signal: AbortSignal.timeout ? AbortSignal.timeout(30000) : undefined,
        });
        if (answer.ok) {
          finish();
          return;
        }
        const said = answer.status === 400 ? await answer.json() : {};
        const first = mark(said.errors);
        status.textContent = first ? options.errorFormEntry : options.errorGeneric;
        if (first) first.focus();
      } catch {
        status.textContent = options.errorGeneric;
      } finally {
        sending = false;
        send.removeAttribute("aria-disabled");
      }
    });

    function finish() {
      title.textContent = options.successMessage;
      // Sentry's dialog marks its thanks like this, so that the page's own form stays hidden.
      host.classList.add("message-success");
      intro.forEach((line) => line.remove());
      form.replaceWith(make("div", { class: "deeds" }, close));
      close.focus();
    }

    dialog.showModal();
    // A dialog focuses its first control, which is where the visitor starts to write.
  }

  if (document.body) open();
  else document.addEventListener("DOMContentLoaded", open);
})
