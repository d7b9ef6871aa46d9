/** In a row of links wider than the window the one that is open stands in sight. */

for (const link of document.querySelectorAll('nav [aria-current]')) {
  const row = link.closest('nav')
  if (!row || row.scrollWidth <= row.clientWidth) continue
  const [frame, box] = [row.getBoundingClientRect(), link.getBoundingClientRect()]
  row.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2)
}
