// Comfort only: every page is complete without this file.

// Propose the time zone of this device for a new account, so that its "today" is the user's own.
const timeZone = document.querySelector("[data-time-zone]");
if (timeZone) {
  timeZone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || timeZone.value;
}

// Show how many expenses are selected, and their sum. It is added up in minor units: the digits of each amount.
const ticked = document.getElementById("ticked");
const boxes = [...document.querySelectorAll('input[name="ids"]')];
function minorUnits(box) {
  const amount = box.closest("tr").querySelector(".amount");
  return Number(amount.textContent.replace(/[^0-9]/g, "")) * (amount.parentElement.querySelector(".refund") ? -1 : 1);
}
function countTicked() {
  const { currency, digits, locale = navigator.language } = ticked.dataset;
  const chosen = boxes.filter((box) => box.checked);
  const sum = chosen.reduce((total, box) => total + minorUnits(box), 0) / 10 ** digits;
  const form = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  // The digits of the list.
  const format = new Intl.NumberFormat(locale, { ...form, numberingSystem: "latn" });
  const sumText = format.format(sum).replace("-", "\u2212");
  // An amount written from right to left would change places with the number, and US$ would be $US.
  const isolated = (text) => `\u2068${text}\u2069`;
  const sign = format.formatToParts(sum).find((part) => part.type === "currency").value;
  const total = /[\u0590-\u08ff\u200f]/.test(sumText) ? isolated(sumText.replace(sign, isolated)) : sumText;
  ticked.textContent = ticked.dataset.text.replace("{count}", chosen.length).replace("{total}", () => total);
}
if (ticked && boxes.length) {
  document.addEventListener("change", countTicked);
  // After going back, browsers restore ticked boxes once this script has run.
  window.addEventListener("pageshow", countTicked);
}

// Reading a large file, or adding its expenses, takes a few seconds, during which the pressed button says so.
// After going back, browsers may show the page as it was left.
for (const button of document.querySelectorAll("[data-busy]")) {
  const label = button.textContent;
  const say = (isBusy) => {
    button.textContent = isBusy ? button.dataset.busy : label;
    button.setAttribute("aria-busy", isBusy);
  };
  button.form.addEventListener("submit", (event) => say(event.submitter === button));
  window.addEventListener("pageshow", () => say(false));
}

// Focus the field with autofocus before any key is read, so that typed text is never taken for a shortcut.
const first = document.querySelector("[autofocus]");
if (document.activeElement === document.body && !location.hash) first?.focus({ preventScroll: true });

// A list that is open overnight proposes the new day, unless its date was chosen. If the clock of this device did not
// agree with the server's when the page was loaded, it is not used.
const proposed = document.querySelector("[data-zone]");
function today() {
  const parts = { timeZone: proposed.dataset.zone, year: "numeric", month: "2-digit", day: "2-digit" };
  return new Intl.DateTimeFormat("sv-SE", parts).format();
}
function renewDate() {
  const date = proposed.previousElementSibling;
  if (date.value !== proposed.value || today() === proposed.value) return;
  date.value = proposed.value = today();
}
if (proposed?.value && proposed.value === today()) {
  document.addEventListener("visibilitychange", renewDate);
  setInterval(renewDate, 30_000);
}

// Close the menu on a click outside of it, as menus do.
const menu = document.querySelector(".menu");
document.addEventListener("click", (event) => menu?.open && !menu.contains(event.target) && (menu.open = false));

// Keys: n new, / search, j and k to go through the rows, e to edit, ? for this list.
const rows = [...document.querySelectorAll(".expenses tr[id]")];
const shortcuts = document.getElementById("shortcuts");
if (shortcuts) document.querySelector("main").append(shortcuts.content);
const help = document.getElementById("keys");
function go(step) {
  let here = rows.findIndex((row) => row.contains(document.activeElement));
  if (here < 0) here = rows.findIndex((row) => row.matches(":target"));
  const row = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
  row?.querySelector('input[name="ids"]').focus();
}
const keys = {
  n: () => document.getElementById("description")?.focus(),
  "/": () => document.getElementById("filter-search")?.focus(),
  j: () => go(1),
  k: () => go(-1),
  e: () => document.activeElement.closest("tr")?.querySelector('a[href*="/edit"]')?.click(),
  "?": () => help && (help.open = !help.open),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    document.activeElement.blur();
    if (menu) menu.open = false;
  }
  const typing = event.target.matches('input:not([type="checkbox"]), select, textarea');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});
