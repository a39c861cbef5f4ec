/* Raven.showReportDialog without the rest of Raven JS, and scripting for the page's own form.
   The form also works without this script. */
(function (window, document) {
  "use strict";

  var PATH = "/api/embed/error-page/?", policy;

  function refuse(why) {
    var error = new Error(why);
    error.name = "RavenConfigError";
    throw error;
  }

  function address(given) {
    // raven-js merges the options into its own three, which come first in the address.
    var options = { eventId: "", dsn: "", user: {} }, pairs = [], key, parts;
    function pair(name, value) {
      pairs.push(encodeURIComponent(name) + "=" + encodeURIComponent(value));
    }
    for (key in given) {
      if (Object.prototype.hasOwnProperty.call(given, key)) options[key] = given[key];
    }
    if (!options.eventId) refuse("Missing eventId");
    if (!options.dsn) refuse("Missing DSN");
    for (key in options) {
      if (key !== "user") pair(key, options[key]);
      else {
        if (options.user.name) pair("name", options.user.name);
        if (options.user.email) pair("email", options.user.email);
      }
    }
    // scheme, secret, host and port, path
    parts = /^(\w+:)?\/\/(?:[\w.~-]+(:[^@/]+)?@)?((?:[\w.-]+|\[[\w:.]+\])(?::\d+)?)(\/[^?#]*)/
      .exec(options.dsn);
    if (!parts) refuse("Invalid DSN");
    if (parts[2]) refuse("The DSN has its secret in it; give the public one");
    return (parts[1] || "") + "//" + parts[3] + parts[4].replace(/\/+[^/]*\/*$/, "") + PATH + pairs.join("&");
  }

  // For pages that require Trusted Types.
  function trusted(url) {
    try {
      policy = policy || trustedTypes.createPolicy("sentry-kit", { createScriptURL: String });
      return policy.createScriptURL(url);
    } catch (error) {
      return url;
    }
  }

  window.Raven = window.Raven || {
    showReportDialog: function (options) {
      var script = document.createElement("script");
      script.async = true;
      script.src = trusted(address(options));
      (document.head || document.body).appendChild(script);
    }
  };

  // Watches the dialog, opened by this file or by Raven JS. It is recognised by the address of its
  // script and by Sentry's class name. <html data-sentry-dialog> shows its state.

  var PATIENCE = 4000, THANKS = ".message-success", root = document.documentElement;
  var FIELDS = ["comments", "email", "name"];
  var state = "", written = false, script, dialog;

  function own() {
    return document.getElementById("sentry-kit-feedback");
  }

  function say(words) {
    var region = document.getElementById("sentry-kit-outcome");
    if (region) region.textContent = words || "";
    return region;
  }

  // On an app's own page a CSS rule for forms may win over the attribute.
  function hide(form, hidden) {
    form.hidden = hidden;
    form.style.display = hidden ? "none" : "";
  }

  function turn(next) {
    var form = own();
    state = next;
    root.setAttribute("data-sentry-dialog", next);
    if (form && !written) hide(form, next === "open" || next === "sent");
    if (form && next === "sent") say(form.getAttribute("data-sent"));
  }

  function giveUp() {
    if (state !== "loading") return;
    turn("failed");
    // A script that was moved to a different document does not run when it loads. So no late dialog
    // opens over a visitor who is writing. Without our form a late dialog is better than none.
    if (own()) document.implementation.createHTMLDocument("").adoptNode(script);
  }

  function closed() {
    if (state !== "open") return;
    if (dialog.matches(THANKS) || dialog.querySelector(THANKS)) return turn("sent");
    carry();
    turn("closed");
  }

  // Copies the input of a dialog that could not send it, so that it need not be typed again.
  function carry() {
    var form = own(), from = dialog.shadowRoot || dialog;
    if (form) FIELDS.forEach(function (name) {
      var typed = field(from, name), input = field(form, name);
      if (typed && typed.value && input) input.value = typed.value;
    });
  }

  // A blocker may hide the dialog, and a script may load without opening one.
  function visible(element) {
    return document.contains(element) && element.getClientRects().length > 0;
  }

  function look() {
    if (!script) {
      script = document.querySelector('script[src*="' + PATH + '"]');
      if (!script) return;
      turn("loading");
      script.addEventListener("error", giveUp);
      setTimeout(giveUp, PATIENCE);
    }
    if (state === "open") {
      if (!visible(dialog)) closed();
      return;
    }
    dialog = document.querySelector("[class*=sentry-error-embed]");
    if (!dialog || !visible(dialog)) return;
    if (written) dialog.parentNode.removeChild(dialog);
    else turn("open");
  }

  function begin(event) {
    var form = own();
    if (!form || !form.contains(event.target)) return;
    written = true;
    giveUp();
  }

  if (window.MutationObserver) {
    new MutationObserver(look).observe(root, { childList: true, subtree: true });
    document.addEventListener("close", look, true);
    document.addEventListener("input", begin);
    window.addEventListener("message", function (event) {
      if (event.data === "__sentry_reportdialog_closed__") closed();
    });
  }

  // Sends the form without leaving the page; if that fails, the browser sends it as usual.

  var busy = false, failed = false;

  function field(form, name) {
    return form.querySelector('[name="' + name + '"]');
  }

  function mark(form, errors) {
    FIELDS.forEach(function (name) {
      var input = field(form, name), words = document.getElementById("sentry-kit-" + name + "-error");
      if (words) words.textContent = errors[name] || "";
      if (!input) return;
      if (errors[name]) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    });
  }

  function show(form, answer) {
    var errors = answer.errors || {}, region = say(answer.message);
    var token = field(form, "token"), first;
    mark(form, errors);
    if (answer.token && token) token.value = answer.token;
    if (/^(sent|passed|saved)$/.test(answer.outcome)) {
      hide(form, true);
      if (!region) return;
      // The focused button is hidden together with the form.
      region.tabIndex = -1;
      region.focus();
    } else {
      first = form.querySelector("[aria-invalid]");
      if (first) first.focus();
    }
  }

  function rest(form) {
    var region = document.getElementById("sentry-kit-outcome");
    busy = false;
    form.removeAttribute("aria-busy");
    // On a phone, what is said may be below the button, outside of the window.
    if (region && !form.querySelector("[aria-invalid]")) region.scrollIntoView({ block: "nearest" });
  }

  if (window.fetch && window.URLSearchParams && window.AbortController) {
    document.addEventListener("submit", function (event) {
      var form = own(), stop, timer;
      if (!form || event.target !== form || event.defaultPrevented) return;
      // Online, but sending failed: perhaps because of a blocker that allows plain forms.
      if (failed && navigator.onLine !== false) return;
      event.preventDefault();
      if (busy) return;
      begin(event);
      busy = true;
      form.setAttribute("aria-busy", "true");
      say(form.getAttribute("data-sending"));
      stop = new AbortController();
      timer = setTimeout(function () { stop.abort(); }, 20000);
      fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
        signal: stop.signal
      }).then(function (answer) {
        return answer.json();
      }).then(function (answer) {
        show(form, answer);
      }).catch(function () {
        failed = navigator.onLine !== false;
        say(form.getAttribute("data-failed"));
      }).then(function () {
        clearTimeout(timer);
        rest(form);
      });
    });
    document.addEventListener("securitypolicyviolation", function (event) {
      var form = own();
      if (form && event.effectiveDirective === "connect-src" && event.blockedURI === form.action) {
        HTMLFormElement.prototype.submit.call(form);
      }
    });
  }
})(window, document);
