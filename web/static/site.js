"use strict";
/* Nothing here is needed: every page works without it. It saves a choice, a look or a second press. */
const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

/* The time zone, which a person would otherwise choose by hand. */
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const page = document.documentElement;
  if (!zone) return;
  const known = document.cookie.split("; ").some((pair) => pair.startsWith("zone="));
  if (!known && page.dataset.signedIn === "no") {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    const shown = page.dataset.zone !== zone && document.querySelector("[data-in-zone]");
    // Only if the browser kept it, or this page would load for ever.
    if (shown && document.cookie.includes("zone=")) location.reload();
  }
  const choice = document.querySelector("select[data-guess-zone]");
  if (choice && choice.value === "UTC" && [...choice.options].some((o) => o.value === zone)) {
    choice.value = zone;
  }
})();

/* Times in another zone than that of the device are said to be so; the same clock by another name is not. */
each("[data-device-zone]", (said) => {
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const at = new Date(said.dataset.at || Date.now());
  const clock = (timeZone) => at.toLocaleString("en", { timeZone, dateStyle: "short", timeStyle: "short" });
  const told = [said.dataset.deviceZone, said.dataset.known].filter(Boolean).map(clock);
  if (!device || told.includes(clock(device))) return;
  said.querySelectorAll("[data-name]").forEach((name) => { name.textContent = device.replaceAll("_", " "); });
  const there = new URL(location.href);
  there.searchParams.set("zone", device);
  there.hash = "times";
  said.querySelector("a").href = there;
  said.hidden = false;
});

/* What is wrong takes the focus; what went well is said aloud, as text that comes after the page. */
document.querySelector("[role=alert]")?.focus();
const toasts = document.getElementById("toasts");
const tell = (text) => {
  const toast = Object.assign(document.createElement("p"), { className: "toast", textContent: text });
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), 8000);
};
const notice = document.querySelector("[data-notice]");
if (notice) requestAnimationFrame(() => { document.getElementById("spoken").textContent = notice.textContent; });

/* A form that is on its way is not sent again; the server would count it once in any case. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.ariaBusy === "true") { event.preventDefault(); return; }
  if (form.method !== "post") return;
  form.ariaBusy = "true";
  event.submitter?.setAttribute("data-pressed", "");
});
window.addEventListener("pageshow", () => each("form[aria-busy]", (form) => {
  form.removeAttribute("aria-busy");
  form.querySelector("[data-pressed]")?.removeAttribute("data-pressed");
}));

/* How long a time is still kept, counted from what the server said was left. */
const clock = () => each("[data-left]", (shown) => {
  shown.dataset.since ??= performance.now();
  const left = Math.max(0, Math.round(shown.dataset.left - (performance.now() - shown.dataset.since) / 1000));
  shown.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  const bar = document.getElementById("kept-bar");
  if (bar) bar.value = left;
});
clock();
setInterval(clock, 1000);

/* Menus close with Escape and with a press elsewhere. */
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});
document.addEventListener("click", (event) => each("details.menu[open]", (menu) => {
  if (!menu.contains(event.target)) menu.open = false;
}));

/* Printing has no form to press without a script, so the button shows with one only. */

/* A page that looks again by itself says when it cannot, and when it can again. */
let away = false;
document.addEventListener("htmx:error", () => { if (!away) tell("No connection. This page keeps trying."); away = true; });
document.addEventListener("htmx:after:request", () => { if (away) tell("The connection is back."); away = false; });
