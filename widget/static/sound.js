/** A short soft chime, made and not fetched. Heard only after the visitor did something here, and by one tab alone. */

import { locked } from './storage.js'

const LASTS = 0.45

export function chime() {
  if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return
  const play = async () => {
    const audio = new AudioContext()
    const gain = audio.createGain()
    gain.connect(audio.destination)
    gain.gain.setValueAtTime(0.06, audio.currentTime)
    gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + LASTS)
    for (const [pitch, after] of [[660, 0], [880, 0.1]]) {
      const tone = audio.createOscillator()
      tone.frequency.value = pitch
      tone.connect(gain)
      tone.start(audio.currentTime + after)
      tone.stop(audio.currentTime + LASTS)
    }
    await new Promise((done) => setTimeout(done, 1000))
    await audio.close()
  }
  locked('sound', { ifAvailable: true }, (lock) => lock && play())
}
