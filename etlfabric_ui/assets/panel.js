// What the browser does without a trip to the server: sign-in forms, keys, ticking times, the
// connection banner, small toggles. Delegated listeners only; React owns the elements.
(() => {
  "use strict";
  const api = () => (window.etlfabric && window.etlfabric.api) || location.origin;
  const $ = (selector, root = document) => root.querySelector(selector);
  document.cookie = "etlfabric_zone=" + encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone) + "; path=/; SameSite=Strict";
  const KEYS_OFF = "etlfabric.keys.off";

  // ── Forms that go straight to the API: a password never passes the panel's state ──
  const text = (element, value) => { if (element) element.textContent = value || ""; };

  async function call(method, path, body) {
    const answer = await fetch(api() + path, {
      method, credentials: "include",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
    const data = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw data;
    return data;
  }

  function mark(form, name, message) {
    const input = form.elements[name];
    if (!input || !input.setAttribute) return false;
    input.setAttribute("aria-invalid", "true");
    text(document.getElementById(input.getAttribute("aria-describedby")), message);
    input.focus();
    return true;
  }

  function clean(form) {
    text($("[data-form-error]", form));
    for (const input of form.elements) {
      if (input.getAttribute("aria-invalid")) {
        input.removeAttribute("aria-invalid");
        text(document.getElementById(input.getAttribute("aria-describedby")));
      }
    }
  }

  function firstMissing(form) {
    for (const input of form.elements) {
      if (input.disabled) continue;
      if (input.required && !input.value.trim()) return [input.name, input.dataset.missing || "Fill this in."];
      if (input.minLength > 0 && input.value.length < input.minLength) return [input.name, input.dataset.short];
      if (input.type === "email" && !/^[^@\s]+@[^@\s]+$/.test(input.value)) return [input.name, "Write name@domain."];
    }
    return null;
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset || !form.dataset.api) return;
    event.preventDefault();
    event.stopPropagation();
    if (form.dataset.busy) return; // Enter twice makes one object
    clean(form);
    const missing = firstMissing(form);
    if (missing) { mark(form, ...missing); return; }
    form.dataset.busy = "1";
    $("[type=submit]", form).setAttribute("aria-busy", "true");
    const body = Object.fromEntries(new FormData(form));
    if ("byLink" in form.dataset) body.token = linkToken();
    try {
      const data = await call("POST", form.dataset.api, body);
      if (form.dataset.done) {
        text($("[data-form-note]", form.parentElement), form.dataset.done);
        form.classList.add("hidden");
      } else {
        location.assign(after(form, body) || next(data)); // a full load: the websocket must carry the new cookie
        return;
      }
    } catch (problem) {
      const said = problem.detail || problem.message
        ? [problem.detail || problem.message, problem.remedy].filter(Boolean).join(" ")
        : "The server did not answer. Try again in a moment.";
      if (problem.code === "other_account") $("[data-do=switch-account]")?.classList.remove("hidden");
      if (!(problem.field && mark(form, problem.field, said))) text($("[data-form-error]", form), said);
    }
    delete form.dataset.busy;
    $("[type=submit]", form).removeAttribute("aria-busy");
  }, true);

  // Where a form says to go on; {slug} is what was typed as such
  const after = (form, body) => form.dataset.go && form.dataset.go.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(body[name] || ""));
  const linkToken = () => decodeURIComponent(location.pathname.replace(/\/$/, "").split("/").pop());
  const slugOf = (name) => name.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 40);

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !form.dataset.api) return;
    if (event.target.dataset.follows) { event.target.dataset.own = event.target.value ? "1" : ""; return; }
    const follower = form.querySelector(`[data-follows="${CSS.escape(event.target.name)}"]`);
    if (follower && !follower.dataset.own) follower.value = slugOf(event.target.value);
  });

  // An invitation says who invites whom, once its form stands
  async function tellInvitation(form) {
    form.dataset.told = "1";
    const note = $("[data-form-note]", form.parentElement);
    try {
      const shown = await call("POST", "/api/v1/invitations/show", { token: linkToken() });
      const may = JSON.parse(form.dataset.roles)[shown.role] || "";
      text(note, `${shown.invited_by} invites you to ${shown.org} as ${shown.role}. ${may}`.trim());
      if (shown.has_account) {
        for (const field of form.querySelectorAll(".only-new")) {
          field.classList.add("hidden"); // React owns it: neither removed nor moved
          field.querySelector("input").disabled = true;
        }
      }
    } catch (problem) {
      text(note, [problem.detail, problem.remedy].filter(Boolean).join(" "));
      form.classList.add("hidden");
    }
  }
  new MutationObserver(() => {
    for (const one of document.querySelectorAll("[data-keys-switch]:not([data-known])")) {
      one.dataset.known = "1";
      one.setAttribute("aria-checked", String(localStorage.getItem(KEYS_OFF) !== "1"));
    }
    const receipt = $("[data-receipt]:not([data-timed])");
    if (receipt) {
      receipt.dataset.timed = "1";
      setTimeout(() => receipt.classList.add("hidden"), $("button", receipt) ? 8000 : 4000);
    }
    const form = $("form[data-invitation]:not([data-told])");
    if (form) tellInvitation(form);
  }).observe(document, { childList: true, subtree: true });

  function next(data) {
    const wanted = new URLSearchParams(location.search).get("next") || "";
    return /^\/(?!\/)/.test(wanted) ? wanted : "/";
  }

  // ── Clicks ──
  document.addEventListener("click", async (event) => {
    const target = event.target.closest("[data-do]");
    if (!target) return;
    const what = target.dataset.do;
    if (what === "reveal") {
      const input = target.parentElement.querySelector("input");
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      target.firstChild.nodeValue = shown ? "Show" : "Hide";
      target.setAttribute("aria-pressed", String(!shown));
    } else if (what === "menu") {
      document.body.classList.toggle("menu-open");
      if (document.body.classList.contains("menu-open")) $(".side a, .side button")?.focus();
    } else if (what === "copy") {
      await navigator.clipboard?.writeText(target.dataset.copy || "");
      const label = target.querySelector("span") || target;
      const before = label.textContent;
      label.firstChild.nodeValue = "Copied";
      setTimeout(() => { label.firstChild.nodeValue = before; }, 1500);
    } else if (what === "sign-out") {
      try { await call("POST", "/api/v1/auth/logout"); } catch { /* signed out already */ }
      location.assign("/login");
    } else if (what === "sign-in-here" || what === "switch-account") {
      if (what === "switch-account") try { await call("POST", "/api/v1/auth/logout"); } catch { /* signed out already */ }
      location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    } else if (what === "sign-out-everywhere") {
      try { await call("DELETE", "/api/v1/auth/sessions"); } catch { /* signed out already */ }
      location.assign("/login");
    } else if (what === "letter") {
      const note = target.parentElement.querySelector("[data-form-note]");
      try { await call("POST", "/api/v1/auth/verify/letter"); text(note, "Sent. Open the link in it."); } catch (problem) { text(note, [problem.detail, problem.remedy].filter(Boolean).join(" ")); }
    } else if (what === "download") {
      location.assign(api() + target.dataset.path); // an attachment: the page stays
    } else if (what === "leave") {
      leave();
    } else if (what === "open") {
      document.getElementById(target.dataset.dialog)?.showModal();
    } else if (what === "close") {
      target.closest("dialog")?.close();
    } else if (what === "theme") {
      // next-themes keeps the choice under this key
      const dark = document.documentElement.classList.contains("dark");
      localStorage.setItem("theme", dark ? "light" : "dark");
      location.reload();
    } else if (what === "keys") {
      showKeys();
    } else if (what === "keys-toggle") {
      const off = localStorage.getItem(KEYS_OFF) === "1";
      off ? localStorage.removeItem(KEYS_OFF) : localStorage.setItem(KEYS_OFF, "1");
      if (target.hasAttribute("aria-checked")) target.setAttribute("aria-checked", String(off));
    } else if (what === "reload") {
      location.reload();
    } else if (what === "pane") {
      const panes = target.closest("[data-panes]");
      panes.dataset.panes = target.dataset.pane;
      for (const one of panes.querySelectorAll("[data-pane]")) one.setAttribute("aria-pressed", String(one === target));
    } else if (what === "log-follow") {
      followLog();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest(".side a")) document.body.classList.remove("menu-open");
    if (event.target.closest("[data-clear]")) for (const one of document.querySelectorAll('main input[type="search"]')) one.value = "";
    const refused = event.target.closest('[aria-disabled="true"]');
    if (refused || pressedAgain(event)) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
  const pressed = new WeakMap(); // button → when
  function pressedAgain(event) { // by the mouse, or by Enter that is held: makes one object (data-do makes none)
    const button = event.target.closest(".btn:is(.primary, .danger, [data-once], [type=submit]):not([data-do])");
    if (!button) return false;
    const before = pressed.get(button) ?? -Infinity;
    pressed.set(button, event.timeStamp);
    return event.detail > 1 || (button.type !== "submit" && event.timeStamp - before < 500);
  }
  const sent = new WeakMap(); // form → when, unless it was changed since
  document.addEventListener("input", (event) => sent.delete(event.target.form));
  document.addEventListener("submit", (event) => { // pressed twice makes one object
    const before = sent.get(event.target) ?? -Infinity;
    sent.set(event.target, event.timeStamp);
    if (event.timeStamp - before < 500) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
  for (const kind of ["mousedown", "keydown"]) { // a list that may not be chosen from does not open either
    document.addEventListener(kind, (event) => {
      if (event.key !== "Tab" && event.target.matches?.(':is(select, input)[aria-disabled="true"]')) event.preventDefault();
    }, true);
  }

  // ── Leaving with changes that are not saved asks first ──
  let typed = null; // the form that was typed into
  let meant = null; // where one wanted to go
  let agreed = false; // to leave
  const unsaved = () => Boolean((typed && typed.isConnected) || $("[data-unsaved]"));
  const forgetTyped = (event) => { if (event.target === typed) typed = null; };
  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, (event) => { typed = event.target.closest?.("form[data-guard]") || typed; });
  }
  document.addEventListener("submit", forgetTyped);
  const elsewhere = (href) => new URL(href, location.href).pathname !== location.pathname;
  function asksToLeave(go) {
    const dialog = document.getElementById("leave");
    if (agreed || !unsaved() || !dialog) return false;
    meant = go;
    if (!dialog.open) dialog.showModal();
    return true;
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.target === "_blank" || event.metaKey || event.ctrlKey || !elsewhere(link.href)) return;
    if (!asksToLeave(link)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  function leave() {
    const to = meant;
    typed = meant = null;
    document.getElementById("leave").close();
    agreed = true; // for this one click
    if (typeof to === "function") to(); else to?.click();
    agreed = false;
  }

  // Back and Forward have moved the address before anybody is asked: it goes back first, and the
  // router, which numbers the entries it makes, hears of neither until one has said Leave
  const entry = () => ({ number: history.state?.idx ?? 0, path: location.pathname });
  let stood = entry(); // the entry that the page belongs to
  let passing = ""; // what the popstate to come is: the way "back" to it, or the way "out" agreed to
  for (const name of ["pushState", "replaceState"]) {
    const native = history[name];
    history[name] = function (...given) { native.apply(this, given); stood = entry(); };
  }
  addEventListener("popstate", (event) => {
    const now = entry(), by = now.number - stood.number, was = passing;
    passing = "";
    if (was === "back") { event.stopImmediatePropagation(); return; }
    const goes = () => { passing = "out"; history.go(by); };
    if (was !== "out" && by && now.path !== stood.path && asksToLeave(goes)) {
      event.stopImmediatePropagation();
      passing = "back";
      history.go(-by);
    } else stood = now;
  }, true);
  addEventListener("beforeunload", (event) => { // whoever stays keeps the socket, which Reflex would close here
    if (unsaved()) { event.preventDefault(); event.stopImmediatePropagation(); }
  });

  // ── Files go straight to the API, one after another; then the page is told ──
  function send(org, file, told) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("PUT", `${api()}/api/v1/orgs/${org}/uploads/${encodeURIComponent(file.name)}`);
      request.withCredentials = true;
      request.upload.onprogress = (event) => text(told, `${file.name} · ${Math.floor(100 * event.loaded / event.total)}%`);
      request.onloadend = () => {
        let problem = {};
        try { problem = JSON.parse(request.responseText); } catch { /* no answer */ }
        const ok = request.status >= 200 && request.status < 300;
        if (ok) told.remove();
        else text(told, `${file.name} · ${[problem.detail || "was not received.", problem.remedy].filter(Boolean).join(" ")}`);
        done();
      };
      request.send(file);
    });
  }
  async function sendAll(input, files) {
    const list = $("[data-progress]", input.closest("form"));
    const waiting = [...files].map((file) => [file, list.appendChild(document.createElement("li"))]);
    for (const [file, told] of waiting) text(told, `${file.name} · waits`);
    for (const [file, told] of waiting) await send(input.dataset.upload, file, told);
    $("[data-uploaded]", input.closest("form"))?.click();
  }
  document.addEventListener("change", (event) => {
    if (event.target.dataset?.upload) { sendAll(event.target, event.target.files).then(() => { event.target.value = ""; }); }
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = event.target.closest?.(".drop");
      if (!zone) return;
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop") sendAll($("input", zone), event.dataTransfer.files);
    });
  }

  // ── Dialogs: what must be typed first; closed when their form is sent ──
  document.addEventListener("input", (event) => {
    const typed = event.target;
    if (typed.dataset.filter) {
      const wanted = typed.value.trim().toLowerCase();
      for (const item of document.querySelectorAll(`[data-filtered="${typed.dataset.filter}"]`)) {
        item.classList.toggle("hidden", !item.textContent.toLowerCase().includes(wanted));
      }
    }
    if (typed.dataset.confirm === undefined) return;
    const fits = typed.value.trim() === typed.dataset.confirm;
    $("[data-confirmed]", typed.form).setAttribute("aria-disabled", String(!fits));
  });
  document.addEventListener("submit", (event) => {
    const dialog = event.target.closest("dialog.ask");
    if (!dialog) return;
    if ($('[type="submit"][aria-disabled="true"]', dialog)) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    setTimeout(() => dialog.close());
  }, true);
  document.addEventListener("keydown", (event) => { // a menu must not take what is typed to search it
    if (event.target.dataset && event.target.dataset.filter && event.key !== "Escape" && event.key !== "Tab") event.stopPropagation();
  }, true);

  // ── Go to anything ──
  let known = { org: "", at: 0, items: [] };
  const here = () => (location.pathname.match(/^\/o\/([^/]+)/) || [])[1] || "";

  function go(href) {
    if (href === location.pathname + location.search) return;
    if (elsewhere(href) && asksToLeave(() => go(href))) return;
    history.pushState({ idx: (history.state?.idx ?? 0) + 1, key: String(Date.now()), usr: null }, "", href);
    dispatchEvent(new PopStateEvent("popstate", { state: history.state })); // the router listens
  }

  async function anything() {
    const pages = [...document.querySelectorAll(".side a.item")].map((link) => [link.title, "Page", link.getAttribute("href")]);
    const org = here();
    if (!org) return pages;
    if (known.org !== org || Date.now() - known.at > 30_000) {
      const base = `/api/v1/orgs/${org}`;
      const list = (path) => call("GET", base + path).then((page) => page.items, () => []);
      const [connections, pipelines, models] = await Promise.all([list("/connections"), list("/pipelines"), list("/dbt-models")]);
      known = { org, at: Date.now(), items: [
        ...pipelines.map(({ name }) => [name, "Pipeline", `/o/${org}/pipelines/${name}`]),
        ...connections.map(({ name }) => [name, "Connection", `/o/${org}/connections/${name}`]),
        ...models.map(({ path }) => [path, "dbt model", `/o/${org}/dbt-models/${path}`]),
      ] };
    }
    return [...pages, ...known.items];
  }

  function draw(palette, items) {
    const wanted = $("input", palette).value.trim().toLowerCase();
    const fits = items.filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 12);
    const list = $("#palette-list", palette);
    list.replaceChildren(...fits.map(([name, kind, href], n) => {
      const item = document.createElement("li");
      item.id = `palette-${n}`;
      item.role = "option";
      item.dataset.href = href;
      item.setAttribute("aria-selected", String(n === 0));
      const [label, what] = [document.createElement("span"), document.createElement("span")];
      label.textContent = name; label.className = "grow cut";
      what.textContent = kind; what.className = "soft small";
      item.append(label, what);
      return item;
    }));
    $("input", palette).setAttribute("aria-activedescendant", fits.length ? "palette-0" : "");
  }

  async function showPalette() {
    const palette = $("dialog.palette");
    if (!palette || palette.open) return;
    const input = $("input", palette);
    input.value = "";
    let items = [];
    palette.showModal();
    const again = () => draw(palette, items);
    input.oninput = again;
    items = [...document.querySelectorAll(".side a.item")].map((link) => [link.title, "Page", link.getAttribute("href")]);
    again();
    items = await anything();
    again();
  }

  function choose(item) {
    item.closest("dialog").close();
    go(item.dataset.href);
  }
  document.addEventListener("click", (event) => {
    const item = event.target.closest("#palette-list li");
    if (item) choose(item);
    else if (event.target.matches("dialog.palette, dialog.keys")) event.target.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      showPalette();
      return;
    }
    const palette = event.target.closest?.("dialog.palette");
    if (!palette) return;
    const items = [...palette.querySelectorAll("li")];
    const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "Enter" && items[at]) { event.preventDefault(); choose(items[at]); return; }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !items.length) return;
    event.preventDefault();
    const to = items[(at + by + items.length) % items.length];
    for (const item of items) item.setAttribute("aria-selected", String(item === to));
    to.scrollIntoView({ block: "nearest" });
    $("input", palette).setAttribute("aria-activedescendant", to.id);
  });

  // ── Keys ──
  const GO = { o: "overview", c: "connections", p: "pipelines", r: "runs", m: "dbt-models", l: "lineage", d: "data", s: "schedules", a: "alerts" };
  let gone = 0;
  const typing = (element) => element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
  const showKeys = () => $("dialog.keys")?.showModal();

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.body.classList.remove("menu-open");
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (localStorage.getItem(KEYS_OFF) === "1") return;
    const org = location.pathname.match(/^\/o\/([^/]+)/);
    if (org && GO[event.key] && Date.now() - gone < 1000) {
      const link = $(`.side a[href="/o/${org[1]}/${GO[event.key]}"]`);
      gone = 0;
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "g") {
      gone = Date.now();
    } else if (event.key === "/") {
      const search = $('input[type="search"]');
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "n") {
      const link = $("[data-new]");
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "?") {
      event.preventDefault(); showKeys();
    } else if (event.key === "e" && $(".log li.error")) {
      event.preventDefault(); nextError();
    } else if (event.key === "x") {
      const box = $('input[type="checkbox"]', document.activeElement.closest("tr") || document.createElement("tr"));
      if (box) { event.preventDefault(); box.click(); }
    } else if (event.key === ".") {
      const actions = $("button:not([data-row]), select", document.activeElement.closest("tbody tr") || $("main .head .actions") || document.body);
      if (actions) { event.preventDefault(); actions.focus(); }
    } else if (/^[\w[\]]$/.test(event.key) && $(`[data-key="${event.key}"]`)) {
      event.preventDefault(); $(`[data-key="${event.key}"]`).click();
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("tr a.name, [data-row]")];
      const at = rows.indexOf(document.activeElement);
      const to = rows[at + (event.key === "j" ? 1 : -1)] || (at < 0 ? rows[0] : null);
      if (to) { event.preventDefault(); to.focus(); }
    }
  });

  // ── Times tick in the browser, in fixed width ──
  const PLURAL = (n, unit) => `${n} ${unit}`;
  function relative(seconds) {
    const ahead = seconds < 0, s = Math.abs(seconds);
    const said = s < 60 ? PLURAL(Math.floor(s), "s") : s < 3600 ? PLURAL(Math.floor(s / 60), "min")
      : s < 86400 ? PLURAL(Math.floor(s / 3600), "h") : PLURAL(Math.floor(s / 86400), Math.floor(s / 86400) === 1 ? "day" : "days");
    return ahead ? `in ${said}` : s < 5 ? "just now" : `${said} ago`;
  }
  function span(s) {
    if (s < 60) return `${Math.floor(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, " ")} s`.replace("  ", " ");
    return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, "0")} min`;
  }
  function tick() {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-tick]")) {
      const seconds = (Date.now() - Date.parse(element.dateTime)) / 1000;
      const spoken = element.dataset.tick === "span" ? span(Math.max(0, seconds)) : relative(seconds);
      const said = spoken.replaceAll(" ", "\u00a0"); // as formats.whole
      if (Math.abs(seconds) > 7 * 86400 && element.dataset.tick !== "span") continue;
      const node = element.firstChild;
      if (node && node.nodeValue !== said) node.nodeValue = said;
    }
  }
  setInterval(tick, 1000);

  // ── The log follows until one scrolls up; then the lines one reads stay where they are ──
  const hold = { on: false, line: 0, above: 0, total: 0, at: "-1" };
  const theLog = () => $(".log[data-follow]");
  function showHold(log) {
    const news = Number(log.dataset.total) - hold.total;
    for (const one of document.querySelectorAll('[data-do="log-follow"][aria-pressed]')) one.setAttribute("aria-pressed", String(!hold.on));
    const button = $(".log-new");
    if (!button) return;
    button.classList.toggle("on", hold.on && news > 0);
    button.firstChild.nodeValue = `${news.toLocaleString("en-US")} new ${news === 1 ? "line" : "lines"} ↓`;
  }
  function followLog() {
    const log = theLog();
    if (!log) return;
    hold.on = false;
    log.scrollTop = log.scrollHeight;
    showHold(log);
  }
  function holdAt(log, item) {
    hold.on = true;
    hold.line = item.dataset.n;
    hold.above = item.offsetTop - log.scrollTop;
    hold.total = Number(log.dataset.total);
  }
  function nextError() {
    const log = theLog();
    const errors = [...log.querySelectorAll("li.error")];
    const next = errors.find((one) => one.offsetTop > log.scrollTop + 4) || errors[0];
    log.scrollTop = next.offsetTop;
    holdAt(log, next);
  }
  function settleLog() {
    const log = theLog();
    if (!log) { hold.on = false; hold.at = "-1"; return; }
    if (log.dataset.at !== hold.at) {
      hold.at = log.dataset.at;
      const item = $(`li[data-n="${hold.at}"]`, log);
      if (item) { log.scrollTop = item.offsetTop - 24; holdAt(log, item); }
      else hold.on = false;
    }
    if (!hold.on) log.scrollTop = log.dataset.follow === "1" ? log.scrollHeight : log.scrollTop;
    else {
      const item = $(`li[data-n="${hold.line}"]`, log);
      if (item) log.scrollTop = item.offsetTop - hold.above;
    }
    showHold(log);
  }
  new MutationObserver(settleLog).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["data-total", "data-at", "data-follow"],
  });
  document.addEventListener("scroll", (event) => {
    const log = event.target;
    if (!log.classList || !log.classList.contains("log")) return;
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 40) hold.on = false;
    else {
      const item = [...log.querySelectorAll("li")].find((one) => one.offsetTop + one.offsetHeight > log.scrollTop);
      const total = hold.on ? hold.total : Number(log.dataset.total);
      if (item) { holdAt(log, item); hold.total = total; }
    }
    showHold(log);
  }, true);

  // ── Filters of a page that the server keeps stand in the URL, so that it can be sent on ──
  let shown = null;
  new MutationObserver(() => {
    const element = $("[data-query]");
    const now = element ? { page: location.pathname, query: element.dataset.query, address: location.search } : null;
    const isSame = now && shown && now.page === shown.page;
    if (isSame && now.query === shown.query) return;
    // another page begins with what its URL says, whatever its state held before; and a link that was
    // followed meanwhile outdoes the answer to what came before it
    if (isSame && now.address === shown.address) {
      history.replaceState(history.state, "", now.page + (now.query ? `?${now.query}` : ""));
      now.address = location.search;
    }
    shown = now;
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-query"] });

  // ── The window's title, where a page says more than its name ──
  new MutationObserver(() => {
    const said = $("[data-title]")?.dataset.title;
    if (said && document.title !== said) document.title = said;
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-title"] });

  // ── The tab one is on, or that has the focus, is in sight where not all of them fit ──
  let onTab = null;
  function bringIn(tab) {
    const [bar, own] = [tab.parentElement, tab.getBoundingClientRect()];
    bar.scrollLeft += own.left - bar.getBoundingClientRect().left - (bar.clientWidth - own.width) / 2;
  }
  function showTab() {
    const tab = $('.tabs [aria-current="page"]');
    if (tab && tab !== onTab) bringIn(tab);
    onTab = tab;
  }
  new MutationObserver(showTab)
    .observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-current"] });
  addEventListener("resize", () => { onTab = null; showTab(); });
  document.addEventListener("focusin", ({ target }) => { if (target.parentElement?.matches(".tabs")) bringIn(target); });

  // ── The first wrong field is focused ──
  new MutationObserver((changes) => {
    const marked = (node) => node.matches?.('[aria-invalid="true"]') || node.querySelector?.('[aria-invalid="true"]');
    if (changes.some(({ target, type, addedNodes }) => type === "attributes"
      ? target.getAttribute("aria-invalid") === "true" : [...addedNodes].some(marked))) {
      $('form [aria-invalid="true"]')?.focus();
    }
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["aria-invalid"], childList: true, subtree: true });

  // ── Drawers and dialogs open modally; the focus goes back to where it was ──
  let opener = null;
  const dismiss = (modal) => $("[data-close]", modal)?.click();
  new MutationObserver(() => {
    const modal = $("dialog[data-modal]:not([open])");
    if (modal) {
      if (!$("dialog[data-modal][open]")) opener = document.activeElement;
      modal.showModal();
    } else if (opener && !$("dialog[data-modal]")) {
      if (opener.isConnected) opener.focus();
      opener = null;
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
  document.addEventListener("cancel", (event) => {
    if (!event.target.matches?.("dialog[data-modal]")) return;
    event.preventDefault();
    dismiss(event.target);
  }, true);
  document.addEventListener("mousedown", (event) => {
    if (event.target.matches?.("dialog[data-modal]")) dismiss(event.target);
  });

  // ── Connection banner: Reflex's socket, watched from outside ──
  const Native = window.WebSocket;
  let open = 0, ever = false, timer = null;
  const banner = (on) => document.getElementById("connection")?.classList.toggle("on", on);
  function look() {
    if (open > 0) { clearTimeout(timer); timer = null; banner(false); return; }
    // tries that fail in between do not begin the two seconds anew
    if (ever && !leaving && !timer) timer = setTimeout(() => { timer = null; if (open <= 0 && !leaving) banner(true); }, 2000);
  }
  let leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => { open += 1; ever = true; this.counted = true; look(); });
      this.addEventListener("close", () => { if (this.counted) open -= 1; this.counted = false; look(); });
    }
  };

  // ── After a route change focus is on the heading ──
  // The old page may still stand when the address changes: its heading's successor is followed.
  let path = location.pathname, headed = null;
  new MutationObserver(() => {
    const lost = headed && !headed.isConnected && document.activeElement === document.body;
    if (location.pathname === path && !lost) return;
    const heading = $("h1");
    if (!heading) return;
    path = location.pathname;
    headed = heading;
    heading.focus({ preventScroll: true });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
