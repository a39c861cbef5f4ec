// The crash dialog. The server adds the texts, facts about them, and the style sheet as this function's
// arguments; all texts are only used as text. The dialog opens on load and posts the window message
// "__sentry_reportdialog_closed__" when it closes, as Sentry's does.
(function (texts, facts, styles) {
  "use strict";

  // The words go to this script's own address, which is right behind any proxy or prefix.
  const source = new URL(document.currentScript.src);
  const target = new URL(source);
  target.search = new URLSearchParams({
    eventId: source.searchParams.get("eventId"),
    dsn: source.searchParams.get("dsn"),
  });
  const HOST = "sentry-error-embed-wrapper"; // as Sentry names it
  const languages = facts.languages;
  // What is typed into the dialog is none of the page's business.
  const TYPING = ["keydown", "keypress", "keyup", "beforeinput", "input", "paste", "copy", "cut"];

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Shows one of the texts, and says its language where that is not the dialog's.
  function say(element, name) {
    const spoken = languages.from_page.includes(name) ? languages.page : languages.kit;
    element.textContent = texts[name];
    element.removeAttribute("lang");
    element.removeAttribute("dir");
    if (spoken) {
      element.lang = spoken.lang || document.documentElement.lang;
      element.dir = spoken.dir;
    }
    return element;
  }

  function dress(root) {
    try {
      // No Content-Security-Policy refuses such a sheet.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
      root.adoptedStyleSheets = [sheet];
    } catch {
      // Safari before 16.4, Firefox before 101: a strict policy leaves the browser's own look.
      root.append(make("style", {}, styles));
      root.host.style.setProperty("all", "initial", "important");
      root.host.style.setProperty("display", "block", "important");
    }
  }

  // The focused element and all that it is in, the innermost first.
  function focusPath() {
    const path = [];
    let element = document.activeElement;
    while (element && element.shadowRoot && element.shadowRoot.activeElement) {
      element = element.shadowRoot.activeElement;
    }
    for (; element; element = element.parentElement || element.getRootNode().host) path.push(element);
    return path;
  }

  // The browser gives the focus back itself, but not to an element that has gone or that is hidden by
  // now. Then the nearest that is left takes it, so that the Tab key goes on from there.
  function giveFocusBack(path) {
    if (focusPath().length > 2) return; // more than <body> and <html>
    const left = path.find((one) => one.isConnected && one.getClientRects().length);
    if (!left) return;
    left.focus({ preventScroll: true });
    if (focusPath()[0] === left && left !== document.body) return;
    const before = left.getAttribute("tabindex");
    left.setAttribute("tabindex", "-1");
    left.focus({ preventScroll: true });
    function end() {
      left.removeEventListener("blur", end);
      if (before === null) left.removeAttribute("tabindex");
      else left.setAttribute("tabindex", before);
    }
    left.addEventListener("blur", end);
    // Nothing had the focus, so nothing has a focus ring now.
    if (left === document.body) left.blur();
  }

  function open() {
    // Somebody writes in a dialog that is open. One that loads by then does not open over it.
    const others = [...document.getElementsByClassName(HOST)];
    if (others.some((one) => one.shadowRoot && one.shadowRoot.querySelector("dialog[open]"))) return;

    const host = make("div", { class: HOST });
    const root = host.attachShadow({ mode: "open" });
    dress(root);

    const fields = {
      comments: make("textarea", { required: "", rows: "4" }),
      name: make("input", { type: "text", autocomplete: "name", maxlength: "128" }),
      email: make("input", { type: "email", autocomplete: "email", maxlength: "75" }),
    };
    const labels = { comments: "labelComments", name: "labelName", email: "labelEmail" };
    const errors = {};
    const rows = {};
    for (const [name, field] of Object.entries(fields)) {
      field.id = name;
      field.name = name;
      field.setAttribute("aria-describedby", name + "-error" + (name === "comments" ? "" : " why"));
      errors[name] = make("p", { class: "error", id: name + "-error", hidden: "" });
      rows[name] = make("div", { class: "field" }, say(make("label", { for: name }), labels[name]), field);
      rows[name].append(errors[name]);
    }
    fields.name.value = texts.name;
    fields.email.value = texts.email;

    const why = say(make("p", { class: "quiet", id: "why" }), "noteOptional");
    const outcome = make("p", { id: "outcome", role: "status" });
    const send = say(make("button", { type: "submit", class: "send" }), "labelSubmit");
    const close = say(make("button", { type: "button", class: "close" }), "labelClose");
    const form = make(
      "form",
      { novalidate: "" },
      rows.comments,
      why,
      make("div", { class: "pair" }, rows.name, rows.email),
      outcome,
      make("div", { class: "deeds" }, send, close),
    );
    const title = say(make("h2", { id: "title", "aria-live": "polite" }), "title");
    const intro = ["subtitle", "subtitle2"].filter((name) => texts[name]);
    const lines = intro.map((name) => say(make("p", {}), name));
    const dialog = make("dialog", { "aria-labelledby": "title" }, title, ...lines, form);
    dialog.lang = languages.dialog.lang;
    dialog.dir = languages.dialog.dir;
    if (!dialog.showModal) return; // Safari before 15.4, Firefox before 98
    root.append(dialog);

    const path = focusPath();
    document.body.append(host);
    dialog.showModal();
    if (!dialog.getClientRects().length) {
      // The page hides its <body>.
      dialog.removeAttribute("open");
      document.documentElement.append(host);
      dialog.showModal();
    }
    // Its first control has the focus, which is where the visitor starts to write.

    let held = ""; // the key that is down
    // To the page's own shortcuts it looks as if somebody typed into a <div>.
    function keep(event) {
      const on = event.composedPath();
      if (!on.includes(host) && on[0] !== document.body) return;
      event.stopImmediatePropagation();
      if (event.type === "keydown") held = event.code;
      if (event.type === "keyup") held = "";
      // A handler that was there before may have taken the key.
      if (event.type === "keydown" && event.key === "Escape" && event.defaultPrevented) dialog.close();
    }
    for (const type of TYPING) window.addEventListener(type, keep, true);

    close.addEventListener("click", () => dialog.close());
    // The key that closes the dialog comes up over the page.
    function keepUp(event) {
      if (event.code === held) event.stopImmediatePropagation();
    }

    function end() {
      removal.disconnect();
      for (const type of TYPING) window.removeEventListener(type, keep, true);
      if (held) window.addEventListener("keyup", keepUp, { capture: true, once: true });
      host.remove();
      giveFocusBack(path);
      window.postMessage("__sentry_reportdialog_closed__", "*");
    }

    dialog.addEventListener("close", end);
    // A page that is drawn anew takes the dialog away, which closes it without that event.
    const removal = new MutationObserver(() => host.isConnected || end());
    removal.observe(document, { childList: true, subtree: true });

    function mark(faults) {
      const said = {
        comments: "errorComments",
        name: "errorNameLong",
        email: fields.email.value.trim().length > fields.email.maxLength ? "errorEmailLong" : "errorEmail",
      };
      let first = null;
      for (const [name, field] of Object.entries(fields)) {
        const wrong = Boolean(faults[name]);
        // A hidden description is read all the same, so an error that has gone leaves no text.
        if (wrong) say(errors[name], said[name]);
        else errors[name].textContent = "";
        errors[name].hidden = !wrong;
        if (wrong) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
        if (wrong && !first) first = field;
      }
      return first;
    }

    function report(name, isError) {
      say(outcome, name);
      outcome.classList.toggle("error", isError);
    }

    // The name of the text that says why the words were not taken.
    function refusal(status, first) {
      if (first) return "errorFormEntry";
      if (status === 413) return "errorLarge";
      return status === 400 || status >= 500 ? "errorGeneric" : "errorRefused";
    }

    async function post() {
      mark({});
      report("sending", false);
      try {
        const answer = await fetch(target, {
          method: "POST",
          credentials: "omit",
          // Name and address may stay empty here; the server requires both, so they are filled in.
          body: new URLSearchParams({
            name: fields.name.value.trim() || facts.anonymous.name,
            email: fields.email.value.trim() || facts.anonymous.email,
            comments: fields.comments.value,
          }),
          signal: AbortSignal.timeout ? AbortSignal.timeout(30000) : undefined,
        });
        if (answer.ok) return finish();
        const said = answer.status === 400 ? await answer.json().catch(() => ({})) : {};
        const first = mark(said.errors || {});
        report(refusal(answer.status, first), true);
        if (first) first.focus();
        else outcome.scrollIntoView({ block: "nearest" });
      } catch {
        report("errorConnection", true);
      }
    }

    let sending = false;
    // Not the form's "submit", which a sandboxed frame without "allow-forms" does not have. The Enter
    // key in a field clicks the button too.
    send.addEventListener("click", async function (event) {
      event.preventDefault();
      if (sending) return;
      sending = true;
      send.setAttribute("aria-disabled", "true");
      await post();
      sending = false;
      send.removeAttribute("aria-disabled");
    });

    function finish() {
      say(title, "successMessage");
      // Sentry's dialog marks its thanks like this, so that the page's own form stays hidden.
      host.classList.add("message-success");
      lines.forEach((line) => line.remove());
      form.replaceWith(make("div", { class: "deeds" }, close));
      close.setAttribute("aria-describedby", "title");
      close.focus();
    }
  }

  if (document.body) open();
  else document.addEventListener("DOMContentLoaded", open);
})
