/** Two short sounds made by the page itself: rising for a conversation that waits, one soft tone for a reply. */

/** @type {AudioContext | undefined} */
let audio

// Browsers are silent until somebody has touched the page.
for (const name of ['pointerdown', 'keydown']) addEventListener(name, () => void audio?.resume(), { capture: true, passive: true })

/** @param {'waiting' | 'reply'} kind @returns {Promise<boolean>} whether it was heard, as far as the browser tells */
export async function play(kind) {
  audio ??= new AudioContext()
  if (audio.state === 'suspended') await Promise.race([audio.resume(), new Promise((resolve) => setTimeout(resolve, 200))])
  if (audio.state !== 'running') return false
  const tones = kind === 'waiting' ? [[659, 0], [880, 0.16]] : [[587, 0]]
  for (const [pitch, after] of tones) tone(audio, pitch, audio.currentTime + after)
  return true
}

/** @param {AudioContext} context @param {number} pitch @param {number} at */
function tone(context, pitch, at) {
  const oscillator = new OscillatorNode(context, { type: 'sine', frequency: pitch })
  const loudness = new GainNode(context, { gain: 0 })
  loudness.gain.setValueAtTime(0, at)
  loudness.gain.linearRampToValueAtTime(0.22, at + 0.015)
  loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.3)
  oscillator.connect(loudness).connect(context.destination)
  oscillator.start(at)
  oscillator.stop(at + 0.32)
}
