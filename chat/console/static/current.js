/** In what is wider than the window the entry that is open, or this moment of a day, stands in sight. */

for (const inner of document.querySelectorAll('nav [aria-current], .roster__now')) {
  const row = inner.closest('nav, .roster')
  if (!row || row.scrollWidth <= row.clientWidth) continue
  const [frame, box] = [row.getBoundingClientRect(), inner.getBoundingClientRect()]
  row.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2)
}
