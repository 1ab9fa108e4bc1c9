/** What the processes of the gateway's benchmark agree on. */
import { keyPayer } from '../../../gateway/testing.ts'

export const BENCH_HOST = 'bench.example'
export const STREAM_BYTES = 64 * 1024 * 1024
/** Enough for every run. */
export const DEPOSIT = 10n ** 18n
/** Accounts that pay by turns. */
export const payers = Array.from({ length: 8 }, (_, index) => keyPayer(index))

/** Where the service listens. */
export interface Ports {
  readonly bare: number
  readonly metered: number
  /** Bare for requests without a voucher. */
  readonly streaming: number
}

/** What the client is to do. */
export interface Order {
  readonly port: number
  readonly kind: 'bare' | 'warm' | 'cold' | 'stream-bare' | 'stream'
  readonly connections: number
  readonly requests: number
}

export interface Measurement {
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}
