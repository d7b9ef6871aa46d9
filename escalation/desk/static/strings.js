// The page's translations: a JSON island, source text to text or to its plural forms in the order one, two, few, other.

/** @type {Record<string, string | string[]>} */
const strings = JSON.parse(document.getElementById("strings")?.textContent || "{}");

/**
 * @param {string} message
 * @param {Record<string, string | number>} [values] for {name} in the text
 * @returns {string}
 */
export function t(message, values = {}) {
  const found = strings[message];
  const text = typeof found === "string" ? found : message;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}
