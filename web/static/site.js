"use strict";
/* Nothing here is needed: without it a person chooses the time zone by hand. */
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
(() => {
  const alert = document.querySelector("[role=alert]");
  if (alert) alert.focus();
})();
