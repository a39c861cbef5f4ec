/* Raven.showReportDialog without the rest of Raven JS, and scripting for the page's own form,
   which also works without it. */
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
    var options = Object.assign({ eventId: "", dsn: "", user: {} }, given), pairs = [], key, parts;
    function pair(name, value) {
      pairs.push(encodeURIComponent(name) + "=" + encodeURIComponent(value));
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
    if (parts[2]) refuse("Give the public DSN, without its secret");
    return (parts[1] || "") + "//" + parts[3] + parts[4].replace(/\/+[^/]*\/*$/, "") + PATH + pairs.join("&");
  }

  function scriptFor(url) {
    var script = document.createElement("script");
    // Sentry's allowed domains need the page's origin, also where the app sends no referrer.
    script.referrerPolicy = "origin";
    try {
      policy = policy || trustedTypes.createPolicy("sentry-kit", { createScriptURL: String });
      url = policy.createScriptURL(url);
    } catch (error) {} // no Trusted Types here
    script.src = url;
    return script;
  }

  if (!document.querySelector("[data-no-raven]")) window.Raven = window.Raven || {
    showReportDialog: function (options) {
      document.head.appendChild(scriptFor(address(options)));
    }
  };

  // Watches the dialog, opened by this file, by Raven JS or by @sentry/browser. It is recognised by
  // the address of its script and by Sentry's class name. <html data-sentry-dialog> shows its state.

  var PATIENCE = 4000, THANKS = ".message-success", STATE = "data-sentry-dialog";
  var FIELDS = ["comments", "email", "name"], root = document.documentElement;
  var state = "", scripts = [], script, second, dialog, written;

  // A second crash may bring this file into a page that runs it already.
  if (root.hasAttribute(STATE)) return;
  root.setAttribute(STATE, state);

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
    root.setAttribute(STATE, next);
    if (form && form !== written && next !== "loading") hide(form, next === "open" || next === "sent");
    if (form && next === "sent") say(form.getAttribute("data-sent"));
  }

  // A script that was moved to a different document does not run when it loads.
  function stop(found) {
    document.implementation.createHTMLDocument("").adoptNode(found);
  }

  // Of several dialogs that load, the newest opens. Over an open one none does: somebody writes in it.
  function follow(found) {
    scripts.push(found);
    if (state === "open") return stop(found);
    if (state === "loading") stop(script);
    script = found;
    turn("loading");
    found.addEventListener("error", function () {
      if (found === script && state === "loading") retry();
    });
    setTimeout(function () {
      if (found === script) giveUp();
    }, PATIENCE);
  }

  // A page with a Cross-Origin-Embedder-Policy loads the script by CORS alone; Sentry before 23.7
  // does not allow CORS for it. So what failed in one way is tried in the other.
  function retry() {
    if (script === second) return giveUp();
    second = scriptFor(script.src);
    second.crossOrigin = script.crossOrigin ? null : "anonymous";
    document.head.appendChild(second);
  }

  function giveUp() {
    if (state !== "loading") return;
    turn("failed");
    // No late dialog opens over a visitor who is writing. Without our form it is better than none.
    if (own()) stop(script);
  }

  function closed() {
    if (state !== "open") return;
    if (dialog.matches(THANKS) || dialog.querySelector(THANKS)) return turn("sent");
    carry();
    turn("closed");
  }

  // Copies the input of a dialog that did not send it, so that it need not be typed again. A name or
  // address that was filled in there and deleted by the visitor is deleted here too.
  function carry() {
    var form = own(), from = dialog.shadowRoot || dialog;
    if (form) FIELDS.forEach(function (name) {
      var typed = field(from, name), input = field(form, name);
      if (typed && input && (typed.value || typed.defaultValue)) input.value = typed.value;
    });
  }

  // A blocker may hide the dialog, and a script may load without opening one.
  function visible(element) {
    return document.contains(element) && element.getClientRects().length > 0;
  }

  function look() {
    if (state === "open" && !visible(dialog)) closed();
    document.querySelectorAll('script[src*="' + PATH + '"]').forEach(function (found) {
      if (scripts.indexOf(found) < 0) follow(found);
    });
    document.querySelectorAll("[class*=sentry-error-embed]").forEach(function (found) {
      if (!visible(found) || state === "open" && dialog.contains(found)) return;
      if (state === "open" || written && written === own()) return found.parentNode.removeChild(found);
      dialog = found;
      turn("open");
    });
  }

  function begin(event) {
    var form = own();
    if (!form || !form.contains(event.target)) return;
    written = form;
    giveUp();
  }

  if (window.MutationObserver) {
    new MutationObserver(look).observe(root, { childList: true, subtree: true });
    document.addEventListener("close", look, true);
    document.addEventListener("input", begin);
    // On a slow line somebody may write before this script is here.
    var words = own() && field(own(), "comments");
    if (words && words.value !== words.defaultValue) begin({ target: words });
    window.addEventListener("message", function (event) {
      if (event.data === "__sentry_reportdialog_closed__") closed();
    });
    look();
  }

  // The app's page may load @sentry/browser before this file, after it, by Sentry's Loader Script, or
  // not at all. Each function in the queue asks the Sentry that it is given for one dialog.

  var QUEUE = "sentryKitDialog", queue = window[QUEUE] = window[QUEUE] || [];

  function attempt(work) {
    try {
      work();
    } catch (error) {
      console.warn("@sentry/browser could not open Sentry's dialog:", error);
    }
  }

  function part(found, name) {
    return new URL(found.src).searchParams.get(name);
  }

  function scriptOf(eventId) {
    look();
    return scripts.filter(function (found) {
      return part(found, "eventId") === eventId;
    })[0];
  }

  function project(dsn) {
    return String(dsn).replace(/^.*\//, "");
  }

  function openIn(scope, call) {
    var options, found;
    call({ showReportDialog: function (given) { options = given; } });
    // The page may have asked for the dialog of this crash already.
    if (scriptOf(options.eventId) || written && written === own()) return;
    // Since version 8 the option dsn is ignored, and that of the scope's client is used. The page's
    // own client may be of another project, or not be there yet.
    if (scope.setClient) scope.setClient({ getDsn: function () { return options.dsn; } });
    call(window.Sentry);
    found = scriptOf(options.eventId);
    if (found && project(part(found, "dsn")) !== project(options.dsn)) {
      stop(found);
      giveUp();
      throw new Error("it asked for that of another project");
    }
  }

  function openQueued() {
    var Sentry = window.Sentry;
    if (!queue.length || !Sentry || !Sentry.showReportDialog || !Sentry.withScope) return;
    queue.splice(0).forEach(function (call) {
      attempt(function () {
        Sentry.withScope(function (scope) {
          attempt(function () { openIn(scope, call); });
        });
      });
    });
    // The Loader Script's functions only take notes until the SDK is there, which has a version.
    if (!Sentry.SDK_VERSION && Sentry.forceLoad) attempt(Sentry.forceLoad);
  }

  queue.push = function (call) {
    Array.prototype.push.call(queue, call);
    if (document.readyState === "complete") openQueued();
  };
  // By then the scripts in the page's markup have run: first those with "defer" and modules, then
  // those with "async".
  document.addEventListener("DOMContentLoaded", openQueued);
  window.addEventListener("load", openQueued);
  if (document.readyState === "complete") openQueued();

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
