// The form of a new ticket: says in which zone the device is, and is sent once. Without this module it works as well.

import "./too-long.js";

const form = document.querySelector("form.form");
const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
const field = document.querySelector("[data-device]");
if (field instanceof HTMLInputElement && device) field.value = device;

const zones = document.querySelector("[data-company]");
if (zones instanceof HTMLSelectElement && device && device !== zones.dataset.company) {
  const known = [...zones.options].some((option) => option.value === device);
  if (!known) zones.add(new Option(device, device), 1);
}

form?.addEventListener("submit", () => {
  // After the form was read: a button that is off is not part of it.
  setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
});
// Back from the next page, the browser shows this one as it was left.
addEventListener("pageshow", () => {
  for (const button of form?.querySelectorAll("button") ?? []) button.disabled = false;
});
document.getElementById("summary")?.focus();
