/**
 * The vouchers that clients send: decrypted and verified once, then known by their text. A voucher that is known costs no
 * RSA and no ECDSA, but the HMAC that proves each of its requests.
 */
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import { base64url, CANONICAL_BASE64URL } from '../protocol/bytes.ts'
import type { Jose } from '../protocol/jose.ts'
import { parseJson } from '../protocol/json.ts'
import type { RsaPrivateKey } from '../protocol/keys.ts'
import { announcedDigest, parseProof, proofText, UNPROVED_BODY } from '../protocol/payment-proof.ts'
import { checkVoucherClaims, openVoucher, type OpenedVoucher, type VoucherClaims } from '../protocol/voucher.ts'
import { GatewayError, toGatewayError } from './errors.ts'
import type { Account, Ledger } from './ledger/index.ts'
import { COLD_VOUCHERS_AT_ONCE_MAX, REFUND_REQUEST_SECONDS_MAX, VOUCHERS_MAX } from './limits.ts'
import type { Authority, Rail, RefundAuthority } from './rail.ts'
import { createReplayWindow, type ReplayWindow } from './replay-window.ts'

/** A request as it came, whatever server it came through. */
export interface Incoming {
  readonly method: string
  /** Path and query, as in the request line. */
  readonly target: string
  /** In its one spelling: see `canonicalHost`. */
  readonly host: string
  /** @param name lower case; undefined for a header that is not there */
  header(name: string): string | undefined
  /** All of them, for who needs more than a few. */
  headers(): Headers
}

/** A voucher whose signature is good, for one rail. */
export interface LiveVoucher {
  readonly rail: Rail
  readonly host: string
  /** In the ledger; `jti`, or the digest of what is signed. */
  readonly id: string
  readonly untilSeconds: number
  /** HMAC-SHA-256 under the proof key, base64url; a voucher without a key is good for one request. */
  readonly mac: ((text: string) => string) | undefined
  readonly window: ReplayWindow
  account: Account
}

export interface VoucherEffects {
  readonly clock: Clock
  readonly jose: Pick<Jose, 'decrypt'>
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array
  /** HMAC-SHA-256 under a key: from text in Latin-1 to base64url. */
  hmac(key: Uint8Array): (text: string) => string
}

export interface VoucherBook {
  /**
   * The voucher of a request, with all that its headers say checked against it. Its use is not taken yet.
   * @param rails of the route
   * @returns at once for a voucher that is known, undefined for a request without one
   * @throws every `ERR_VOUCHER_…`, ERR_PAYMENT_HEADERS, ERR_BALANCE_SHORT
   */
  present(request: Incoming, rails: readonly Rail[]): LiveVoucher | Promise<LiveVoucher> | undefined
  /**
   * Takes a request of a voucher: nobody makes it again.
   * @returns its counter, at once; 0, later, for a voucher that is good for one request
   * @throws ERR_PROOF_MISSING | ERR_PROOF_SHAPE | ERR_PROOF_WRONG | ERR_PROOF_REPLAYED | ERR_VOUCHER_USED
   */
  take(voucher: LiveVoucher, request: Incoming): number | Promise<number>
  /** The request of a voucher that is good for one has ended; it is used only if the ledger says so. */
  putBack(voucher: LiveVoucher): void
  /**
   * A refund request, all of it checked but whether it was used.
   * @throws what `present` throws
   */
  refund(text: string, host: string, rails: readonly Rail[]): Promise<PresentedRefund>
}

export interface PresentedRefund {
  readonly rail: Rail
  readonly account: Account
  readonly id: string
  readonly claims: VoucherClaims & { readonly to: string }
  readonly authority: RefundAuthority
}

export interface VoucherPolicyOfService {
  /** In their one spelling. */
  readonly hosts: readonly string[]
  readonly secondsMax: number
  readonly decryptionKey: RsaPrivateKey
}

export const createVoucherBook = (
  effects: VoucherEffects,
  ledger: Ledger,
  { hosts, secondsMax, decryptionKey }: VoucherPolicyOfService,
): VoucherBook => {
  const { clock, jose } = effects
  /** By rail and text, the longest unused first. */
  const known = new Map<Rail, Map<string, LiveVoucher>>()
  const verifying = new Map<string, Promise<LiveVoucher>>()
  /** Vouchers for one request whose request is under way. */
  const taken = new Set<string>()

  const checkHost = (host: string): void => {
    // The header can say anything. Who got a voucher for another service must not spend it here.
    if (hosts.includes(host)) return
    throw new GatewayError('ERR_VOUCHER_HOST', 'vouchers are not taken under this Host: use the one of the offers')
  }

  /** Vouchers with a key that are being verified, by id: each has one window of counters. */
  const claimed = new Set<string>()
  const claiming = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (claimed.has(name)) throw new GatewayError('ERR_BUSY', 'this voucher is being verified: try again')
    claimed.add(name)
    try {
      return await work()
    } finally {
      claimed.delete(name)
    }
  }

  const open = async (text: string, purpose: 'payment' | 'refund', host: string): Promise<OpenedVoucher> => {
    // Other spellings of the same bytes would be other vouchers to who knows them by their text.
    if (!text.split('.').every((part) => CANONICAL_BASE64URL.test(part))) {
      throw new GatewayError('ERR_VOUCHER_ENCRYPTION', 'write the voucher in base64url without padding')
    }
    try {
      const opened = await openVoucher(jose, text, decryptionKey)
      const most = purpose === 'refund' ? REFUND_REQUEST_SECONDS_MAX : secondsMax
      checkVoucherClaims(opened.claims, { purpose, host, nowSeconds: nowSeconds(clock), secondsMax: most })
      return opened
    } catch (error) {
      throw toGatewayError(error)
    }
  }

  const idOf = ({ claims, jws }: OpenedVoucher): string =>
    claims.jti ?? base64url.encode(effects.sha256(jws.signingInput))

  const openAccount = async (rail: Rail, account: string): Promise<Account> => ledger.open({ book: rail.id, account })

  const verify = async (text: string, request: Incoming, rails: readonly Rail[]): Promise<LiveVoucher> => {
    const opened = await open(text, 'payment', request.host)
    const { rail, account: name } = railOf(rails, opened.claims, request)
    const authority = await verified(() => rail.verify({ account: name, jws: opened.jws, claims: opened.claims }))
    const account = await openAccount(rail, name)
    const id = idOf(opened)
    const { host, key: keyText, exp } = opened.claims
    const mac = keyText === undefined ? undefined : effects.hmac(base64url.decode(keyText))
    const taking = async (): Promise<LiveVoucher> => {
      if (await ledger.hasVoucher(account, id)) throw usedBefore(mac !== undefined)
      // Who never paid anything makes us remember nothing.
      if (account.deposited <= 0n) {
        const text_ = 'nothing was paid into this account yet, or it is not confirmed'
        throw new GatewayError('ERR_BALANCE_SHORT', text_)
      }
      await raise(account, authority)
      if (mac) await ledger.write({ voucher: voucherRow(account, id, exp) })
      return { rail, host, id, untilSeconds: exp, mac, window: createReplayWindow(), account }
    }
    return mac ? claiming(`${rail.id} ${name} ${id}`, taking) : taking()
  }

  const raise = async (account: Account, { limit, evidence }: Authority): Promise<void> => {
    if (limit === undefined) return
    if (account.signed !== undefined && limit < account.signed) throw stale(account)
    if (limit < account.charged) {
      const more = { minimumCumulative: String(account.charged) }
      throw new GatewayError('ERR_VOUCHER_USED_UP', 'more than this voucher allows was charged already', { more })
    }
    await ledger.sign(account, limit, evidence)
  }

  const remember = (text: string, voucher: LiveVoucher): void => {
    const ofRail = known.get(voucher.rail) ?? new Map<string, LiveVoucher>()
    known.set(voucher.rail, ofRail)
    ofRail.set(text, voucher)
    for (const [oldest] of ofRail) {
      if (ofRail.size <= VOUCHERS_MAX) break
      ofRail.delete(oldest)
    }
  }

  const admit = (text: string, request: Incoming, rails: readonly Rail[]): Promise<LiveVoucher> => {
    const key = `${rails[0]?.id ?? ''} ${text}`
    const already = verifying.get(key)
    if (already) return already
    if (verifying.size >= COLD_VOUCHERS_AT_ONCE_MAX) {
      return Promise.reject(new GatewayError('ERR_BUSY', 'too many new vouchers at once: try again'))
    }
    const verification = verify(text, request, rails)
      .then((voucher) => {
        if (voucher.mac) remember(text, voucher)
        return voucher
      })
      .finally(() => verifying.delete(key))
    verifying.set(key, verification)
    return verification
  }

  /** What may have changed since the voucher was verified, and what this request says about it. */
  const recheck = (voucher: LiveVoucher, request: Incoming): LiveVoucher => {
    if (voucher.untilSeconds <= nowSeconds(clock)) {
      throw new GatewayError('ERR_VOUCHER_EXPIRED', 'this voucher has expired: make a new one')
    }
    if (voucher.host !== request.host) {
      throw new GatewayError('ERR_VOUCHER_HOST', 'this voucher was made for another host')
    }
    const address = request.header('payment-account-address')
    const currency = request.header('payment-account-currency')
    if (
      (address !== undefined &&
        address !== voucher.account.account &&
        voucher.rail.account(address) !== voucher.account.account) ||
      (currency !== undefined && currency !== voucher.rail.currency.code)
    ) {
      throw new GatewayError('ERR_VOUCHER_ACCOUNT', 'this voucher is of another account than the headers name')
    }
    return voucher
  }

  const takeOnly = async (voucher: LiveVoucher): Promise<number> => {
    const id = takenKey(voucher)
    if (taken.has(id)) throw usedBefore(false)
    taken.add(id)
    try {
      // It may have been used since it was verified.
      if (await ledger.hasVoucher(voucher.account, voucher.id)) throw usedBefore(false)
      return 0
    } catch (error) {
      taken.delete(id)
      throw error
    }
  }

  /** With its account as it is now, which stays in memory while it is asked for. */
  const reopened = (voucher: LiveVoucher): LiveVoucher | Promise<LiveVoucher> => {
    const account = ledger.open(voucher.account)
    const withIt = (held: Account) => {
      voucher.account = held
      return voucher
    }
    return account instanceof Promise ? account.then(withIt) : withIt(account)
  }

  return {
    present(request, rails) {
      const text = request.header('payment-voucher')
      if (text === undefined) return undefined
      checkHost(request.host)
      for (const rail of rails) {
        const voucher = known.get(rail)?.get(text)
        if (!voucher) continue
        recheck(voucher, request)
        return reopened(voucher)
      }
      return admit(text, request, rails).then((voucher) => recheck(voucher, request))
    },

    take(voucher, request) {
      const { mac, window } = voucher
      const header = request.header('payment-proof')
      if (mac === undefined) return takeOnly(voucher)
      if (header === undefined) {
        const text = 'a voucher with a key proves each of its requests: send Payment-Proof'
        throw new GatewayError('ERR_PROOF_MISSING', text)
      }
      const proof = parseProof(header)
      if (!proof) throw new GatewayError('ERR_PROOF_SHAPE', 'Payment-Proof is <counter>.<base64url of an HMAC-SHA-256>')
      const text = proofText({
        counter: proof.counter,
        method: request.method,
        target: request.target,
        idempotencyKey: request.header('idempotency-key') ?? '',
        amount: request.header('payment-amount') ?? '',
        bodyDigest: announcedDigest(request.header('content-digest') ?? '') ?? UNPROVED_BODY,
      })
      if (!sameText(mac(text), proof.mac)) {
        throw new GatewayError('ERR_PROOF_WRONG', 'this proof is of another request, or by another key')
      }
      if (!window.admit(proof.counter)) {
        throw new GatewayError('ERR_PROOF_REPLAYED', 'this request was made before: count on for each request')
      }
      return proof.counter
    },

    putBack: (voucher) => void taken.delete(takenKey(voucher)),

    async refund(text, host, rails) {
      checkHost(host)
      const opened = await open(text, 'refund', host)
      const { claims, jws } = opened
      const { rail, account: name } = railOf(rails, claims, undefined)
      const authority = await verified(() => rail.verifyRefund({ account: name, jws, claims }))
      const account = await openAccount(rail, name)
      // `checkVoucherClaims` lets none pass without.
      return { rail, account, id: idOf(opened), claims: { ...claims, to: claims.to ?? '' }, authority }
    },
  }
}

/** The row that keeps a voucher from being used after a restart. */
export const voucherRow = ({ book, account }: Account, id: string, untilSeconds: number) => ({
  ...{ book, account, id, untilSeconds },
})

const takenKey = ({ account, id }: LiveVoucher): string => `${account.book} ${account.account} ${id}`

/** The first rail that has this currency and accounts of this form. */
const railOf = (
  rails: readonly Rail[],
  claims: VoucherClaims,
  request: Incoming | undefined,
): { readonly rail: Rail; readonly account: string } => {
  const currency = claims.currency ?? request?.header('payment-account-currency')
  const text = claims.account ?? request?.header('payment-account-address')
  if (currency === undefined || text === undefined) {
    const says = 'say which account pays: Payment-Account-Currency and Payment-Account-Address'
    throw new GatewayError('ERR_PAYMENT_HEADERS', says)
  }
  for (const rail of rails) {
    const account = rail.currency.code === currency ? rail.account(text) : undefined
    if (account !== undefined) return { rail, account }
  }
  throw new GatewayError(
    'ERR_PAYMENT_HEADERS',
    'this currency or this form of account is not taken here: see the offers',
  )
}

const verified = async <T>(verify: () => Promise<T>): Promise<T> => {
  try {
    return await verify()
  } catch (error) {
    const told = toGatewayError(error)
    if (told instanceof GatewayError && told.code === 'ERR_VOUCHER_SHAPE' && error !== told) {
      // A JWS that does not hold: the shape was right, the signature is not.
      throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'this voucher is not signed by the key of its account', {
        cause: error,
      })
    }
    throw told
  }
}

const usedBefore = (keyed: boolean): GatewayError =>
  keyed
    ? new GatewayError('ERR_VOUCHER_RESTARTED', 'the counters of this voucher are no longer known: make a new voucher')
    : new GatewayError('ERR_VOUCHER_USED', 'a voucher without a key is good for one request: make a new one')

const stale = ({ signed, evidence }: Account): GatewayError => {
  const more = { cumulative: String(signed), signature: signatureOf(evidence) }
  return new GatewayError('ERR_VOUCHER_STALE', 'a voucher for a higher total is known: sign at least that', { more })
}

const signatureOf = (evidence: string | undefined): unknown => {
  try {
    return (parseJson(evidence ?? '{}') as { signature?: unknown }).signature
  } catch {
    return undefined
  }
}

/** Compares in a time that depends on the lengths only. */
const sameText = (a: string, b: string): boolean => {
  let difference = a.length ^ b.length
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at)
  return difference === 0
}
