// "Go back" of a page that refuses: the one before still has what was written. Without this module the browser's own does it.

for (const place of document.querySelectorAll('[data-back]')) {
  if (!(place instanceof HTMLElement)) continue
  place.hidden = false
  place.addEventListener('click', () => history.back())
}
