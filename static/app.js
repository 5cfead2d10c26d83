// Comfort only: every page is complete without this file.

// Propose the time zone of this device to a new account, so that its "today" is the person's own.
const timeZone = document.querySelector("[data-time-zone]");
if (timeZone) {
  timeZone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || timeZone.value;
}
