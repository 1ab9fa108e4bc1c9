/**
 * The price document: who sells, for how much, how to pay, signed by the key that the registry names.
 * @see SEED 000 price.json; DESIGN 7
 */
import { z } from 'zod'
import { formatAmount, formatPeriod, NATIVE_DECIMALS } from './amount.ts'
import { equalBytes, utf8 } from './bytes.ts'
import { canonicalJson } from './json.ts'
import { flattenedJwsSchema, type FlattenedJws, type Jose } from './jose.ts'
import { parsePublicKey, thumbprintOf, type RsaPrivateKey, type RsaPublicKey } from './keys.ts'
import { PAYMENT_METHODS_MAX, SIGNED_TIME_WINDOW_SECONDS } from './limits.ts'
import { formatVendorUri, type VendorUri } from './vendor-uri.ts'

const text = z.string().max(4096)

/** `amount` is a decimal text in ours and a number in the original's documents; only people read it. */
const priceSchema = z.looseObject({ symbol: text, amount: z.union([text, z.number()]), unit: text })

/** Paying through our contracts: the terms, in smallest units, that the chain has for this plan. */
const contractMethodSchema = z.looseObject({
  Name: text,
  Price: priceSchema,
  PaymentMethod: z.literal('Contract'),
  ChainId: z.string().regex(/^[1-9]\d{0,77}$/),
  Registry: z.string().regex(/^0x[0-9a-f]{40}$/),
  VendorId: z.string().regex(/^[1-9]\d{0,19}$/),
  PlanId: z.int().min(1).max(0xffffffff),
  Token: z.string().regex(/^0x[0-9a-f]{40}$/),
  Amount: z.string().regex(/^[1-9]\d{0,38}$/),
  PeriodSeconds: z.int().min(1).max(0xffffffff),
  MemoName: text,
  MemoContent: text,
})

/** Methods of others (`Address+Memo`, `Ask`, and what may come) are kept as they are. */
const otherMethodSchema = z.looseObject({
  Name: text,
  Price: priceSchema,
  PaymentMethod: text.refine((method) => method !== 'Contract'),
})

const jwkSchema = z.looseObject({ kty: text, n: text, e: text })

const contentSchema = z.looseObject({
  ContractAddress: text,
  Price: priceSchema,
  PaymentChannels: z.array(z.union([contractMethodSchema, otherMethodSchema])).max(PAYMENT_METHODS_MAX),
  PublicKey: jwkSchema,
  PublicKeyEnc: jwkSchema.optional(),
  ts: z.int().min(0),
  brandinfo: z.looseObject({ Logo: text, title: text, description: text }),
})

const documentSchema = z.object({
  content: contentSchema,
  ts_signature: flattenedJwsSchema,
  content_signature: flattenedJwsSchema.optional(),
})

export type ContractMethod = z.infer<typeof contractMethodSchema>
export type PriceContent = z.infer<typeof contentSchema>

export interface PriceDocument {
  readonly content: PriceContent
  readonly ts_signature: FlattenedJws
  readonly content_signature?: FlattenedJws
}

export const isContractMethod = (method: PriceContent['PaymentChannels'][number]): method is ContractMethod =>
  method.PaymentMethod === 'Contract'

/**
 * Signs content as a vendor publishes it.
 * @param signingKey its public half is `content.PublicKey`
 * @param timeSignature by the same key over the decimal `content.ts`: one serves all documents of a second
 */
export const signPriceContent = async (
  jose: Jose,
  content: PriceContent,
  signingKey: RsaPrivateKey,
  timeSignature: FlattenedJws,
): Promise<PriceDocument> => ({
  content,
  ts_signature: timeSignature,
  content_signature: await jose.sign(canonicalJson(content), signingKey),
})

/** What the chain says of the vendor whose document is examined. */
export interface PriceAnchor {
  readonly vendor: VendorUri
  /** RFC 7638 thumbprints, 32 bytes each. */
  readonly signingKey: Uint8Array
  readonly encryptionKey: Uint8Array
  readonly plans: readonly PlanTerms[]
}

/** Plans that a document offers, each once; none when it has not the shape of one. */
export const planIdsNamed = (document: unknown): number[] => {
  const parsed = documentSchema.safeParse(document)
  const methods = parsed.success ? parsed.data.content.PaymentChannels.filter(isContractMethod) : []
  return [...new Set(methods.map(({ PlanId }) => PlanId))]
}

export interface PlanTerms {
  readonly planId: number
  /** Lower-case `0x` address; zero for the native coin. */
  readonly token: string
  /** Of a token, as it says itself; undefined where that is not known. */
  readonly decimals?: number | undefined
  /** Smallest units for one period. */
  readonly price: bigint
  readonly periodSeconds: number
  readonly onSale: boolean
}

export type PriceCheck =
  | 'shape'
  | 'keys'
  | 'ts_signature'
  | 'content_signature'
  | 'fresh'
  | 'signing_key'
  | 'encryption_key'
  | 'contract'
  | 'terms'

export interface Finding {
  readonly check: PriceCheck
  readonly holds: boolean
  /** One sentence for people. */
  readonly says: string
}

export interface PriceExamination {
  /** Every check that could be made, in the order of `PriceCheck`. */
  readonly findings: readonly Finding[]
  /** A document as the original system made them: nothing but its time is signed. */
  readonly legacy: boolean
  /** True only when the document was held against the chain and every check holds. */
  readonly acceptable: boolean
  /** Present when the shape holds. */
  readonly content?: PriceContent
  /** Present when the keys are sound. */
  readonly keys?: { readonly signing: RsaPublicKey; readonly encryption?: RsaPublicKey }
}

/**
 * Says what holds and what does not. Never throws for anything that the document holds.
 * @param document parsed JSON
 * @param anchor what the chain says; without it the document can be examined but is never acceptable
 */
export const examinePriceDocument = async (
  jose: Jose,
  document: unknown,
  nowSeconds: number,
  anchor?: PriceAnchor,
): Promise<PriceExamination> => {
  const findings: Finding[] = []
  const note = (check: PriceCheck, holds: boolean, yes: string, no: string) => {
    findings.push({ check, holds, says: holds ? yes : no })
    return holds
  }

  const parsed = documentSchema.safeParse(document)
  const wrong = parsed.success ? '' : (parsed.error.issues[0]?.path.join('.') ?? '')
  if (
    !note('shape', parsed.success, 'has the shape of a price document', `is no price document: see "${wrong}"`) ||
    !parsed.success
  ) {
    return { findings, legacy: false, acceptable: false }
  }
  const { content, ts_signature, content_signature } = parsed.data
  const legacy = content_signature === undefined

  const signing = soundKey(content.PublicKey)
  const encryption = content.PublicKeyEnc && soundKey(content.PublicKeyEnc)
  const keysSound = signing !== undefined && (content.PublicKeyEnc === undefined || encryption !== undefined)
  note('keys', keysSound, 'its keys are RSA of 2048 to 4096 bits', 'its keys are not RSA of 2048 to 4096 bits')
  if (signing === undefined) return { findings, legacy, acceptable: false, content }

  const tsSigned = await signs(jose, ts_signature, utf8(String(content.ts)), signing)
  note('ts_signature', tsSigned, 'its time is signed by its key', 'its time is not signed by its key')

  // The whole of what was sent is signed, also members that we do not know.
  const signed = canonicalContent(document)
  const contentSigned =
    content_signature !== undefined && signed !== undefined && (await signs(jose, content_signature, signed, signing))
  const unsigned = legacy ? 'its terms are not signed at all (legacy)' : 'its terms are not what its key signed'
  note('content_signature', contentSigned, 'its terms are signed by its key', unsigned)

  const age = nowSeconds - content.ts
  const fresh = Math.abs(age) <= SIGNED_TIME_WINDOW_SECONDS
  note(
    'fresh',
    fresh,
    'its time is within 5 minutes of now',
    `its time is ${Math.abs(age)} s ${age < 0 ? 'ahead of' : 'behind'} now`,
  )

  if (anchor) {
    const signingListed = equalBytes(thumbprintOf(signing), anchor.signingKey)
    note(
      'signing_key',
      signingListed,
      'its signing key is the registered one',
      'its signing key is not the registered one',
    )
    const encryptionListed = encryption !== undefined && equalBytes(thumbprintOf(encryption), anchor.encryptionKey)
    note(
      'encryption_key',
      encryptionListed,
      'its encryption key is the registered one',
      'its encryption key is not the registered one',
    )
    const registered = content.ContractAddress.toLowerCase() === anchor.vendor.registry
    note('contract', registered, 'it names the registry', 'it names another contract than the registry')
    const strays = content.PaymentChannels.filter(isContractMethod).filter((method) => !matchesPlan(method, anchor))
    const plans = strays.map((method) => method.PlanId).join(', ')
    note(
      'terms',
      strays.length === 0,
      'its plans are as registered',
      `plans that differ from the registered ones: ${plans}`,
    )
  }

  return {
    findings,
    legacy,
    acceptable: anchor !== undefined && findings.every(({ holds }) => holds),
    content,
    keys: encryption ? { signing, encryption } : { signing },
  }
}

const soundKey = (jwk: unknown): RsaPublicKey | undefined => {
  try {
    return parsePublicKey(jwk)
  } catch {
    return undefined
  }
}

const canonicalContent = (document: unknown): Uint8Array | undefined => {
  try {
    return canonicalJson((document as { content: unknown }).content)
  } catch {
    return undefined
  }
}

const signs = async (jose: Jose, jws: FlattenedJws, expected: Uint8Array, key: RsaPublicKey): Promise<boolean> => {
  try {
    return equalBytes(await jose.verify(jws, key), expected)
  } catch {
    return false
  }
}

const matchesPlan = (method: ContractMethod, { vendor, plans }: PriceAnchor): boolean => {
  const named = {
    chainId: BigInt(method.ChainId),
    registry: method.Registry as `0x${string}`,
    vendorId: BigInt(method.VendorId),
  }
  const plan = plans.find(({ planId }) => planId === method.PlanId)
  return (
    formatVendorUri(named) === formatVendorUri(vendor) &&
    plan !== undefined &&
    plan.onSale &&
    plan.token === method.Token &&
    plan.price === BigInt(method.Amount) &&
    plan.periodSeconds === method.PeriodSeconds &&
    showsPrice(method, plan)
  )
}

/** What people read says what is paid. Of a token whose decimals are not known only the unit can be checked. */
const showsPrice = ({ Price }: ContractMethod, plan: PlanTerms): boolean => {
  const decimals = /^0x0{40}$/.test(plan.token) ? NATIVE_DECIMALS : plan.decimals
  return (
    Price.unit === formatPeriod(plan.periodSeconds) &&
    (decimals === undefined || Price.amount === formatAmount(plan.price, decimals))
  )
}
