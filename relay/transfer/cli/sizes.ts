/** Sizes, speeds and times as a person reads them at a glance. */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1.2 GiB`; whole bytes below 1 KiB. */
export const sizeText = (bytes: number): string => {
  let amount = bytes
  let unit = 'B'
  for (const next of UNITS) {
    // What would be rounded up to 1024 is told in the next unit.
    if (amount < (unit === 'B' ? 1024 : 1023.95)) break
    amount /= 1024
    unit = next
  }
  return `${unit === 'B' ? amount : amount.toFixed(1)} ${unit}`
}

/** `2 h 5 min`: the two largest units. */
export const durationText = (seconds: number): string => {
  const rounded = Math.ceil(seconds)
  if (rounded < 60) return `${rounded} s`
  const minutes = Math.floor(rounded / 60)
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${rounded % 60} s` : `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `1 file`, `3 files`. */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** What a transfer holds, in words. */
export const totalsText = (totals: {
  readonly files: number
  readonly folders: number
  readonly bytes: number
}): string =>
  [
    countText(totals.files, 'file'),
    ...(totals.folders > 0 ? [countText(totals.folders, 'folder')] : []),
    sizeText(totals.bytes),
  ].join(', ')
