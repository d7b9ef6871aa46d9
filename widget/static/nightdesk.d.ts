/** Types of `window.nightdesk`. Before the loader has arrived calls are kept and replayed in order. */

export type View = 'home' | 'conversation' | 'ticket'
export type Theme = 'light' | 'dark' | 'auto' | { accent: string }

/** Ids and numbers, never text. Also sent as `nightdesk:*` CustomEvents on `window`, with the same in `detail`. */
export interface NightdeskEvents {
  ready: Record<string, never>
  open: Record<string, never>
  close: Record<string, never>
  unread: { count: number }
  'conversation:started': { conversation: string }
  'conversation:ended': { conversation: string }
  'message:sent': { conversation: string }
  'message:received': { conversation: string; seq: number }
  'operator:joined': { conversation: string; operator?: string }
  status: { online: number; position?: number; wait_seconds?: number | null }
  'form:submitted': { conversation: string }
  'ticket:opened': { number: string }
  rated: { conversation: string; score: number }
  'identity:error': { reason: string }
  error: { code: string; ref?: string }
}

export interface Nightdesk {
  (call: 'open', view?: View): Promise<void>
  (call: 'close' | 'toggle' | 'show' | 'hide' | 'destroy' | 'logout'): Promise<void>
  (call: 'isOpen'): Promise<boolean>
  (call: 'unread'): Promise<number>
  (call: 'identify', identity: { token: string } | (() => string | Promise<string>)): Promise<void>
  (call: 'set', attributes: Record<string, string | number | boolean>): Promise<void>
  (call: 'consent', allowed: boolean): Promise<void>
  (call: 'page', page: { url?: string; title?: string }): Promise<void>
  (call: 'prefill', text: string): Promise<void>
  (call: 'newTicket', fields?: { subject?: string; text?: string }): Promise<void>
  (call: 'locale', locale: string): Promise<void>
  (call: 'theme', theme: Theme): Promise<void>
  (call: 'update', change: { position?: 'start' | 'end'; color?: string; offset?: number | string; hideOnPhone?: boolean }): Promise<void>
  <Name extends keyof NightdeskEvents>(call: 'on', name: Name, listener: (data: NightdeskEvents[Name]) => void): Promise<() => void>
  <Name extends keyof NightdeskEvents>(call: 'off', name: Name, listener: (data: NightdeskEvents[Name]) => void): Promise<void>
  readonly version: string
  /** Calls made before the loader has arrived. */
  q?: unknown[]
}

declare global {
  interface Window {
    nightdesk?: Nightdesk
  }
}
