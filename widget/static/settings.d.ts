/** What the server writes in the place of this name in loader.js: `for_loader` of widget/sites.py. */
declare const NIGHTDESK: {
  key: string
  base: string
  version: string
  locale: string
  color: string
  css: string
  strings: Record<string, any>
}
