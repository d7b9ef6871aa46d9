/** The one line a host page needs to open the chat from a button of its own. */

document.querySelector('[data-open]')?.addEventListener('click', () => window.nightdesk?.('open', 'conversation'))
