/** Readers of the vendor's command-line options. */
import { InvalidArgumentError } from 'commander'

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** `203.0.113.5:1080`, `[::1]:1080` or `host.example:1080`. */
export const hostAndPort = (text: string): { readonly host: string; readonly port: number } => {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:\s/]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || !(port <= 65_535)) throw new InvalidArgumentError('must be host:port')
  return { host, port }
}

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`must be a number from ${min} to ${max}`)
    return value
  }
