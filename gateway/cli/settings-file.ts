/** The file of `chrove gateway`: YAML, of which JSON is a part. */
import { parse, YAMLError } from 'yaml'
import { z } from 'zod'
import { CommandError } from '../../effects/command-error.ts'
import { fromUtf8 } from '../../protocol/bytes.ts'
import { gatewaySettingsSchema, priceSchema } from '../settings.ts'

/** Settings with a thousand routes are about 100 KiB. */
export const SETTINGS_BYTES_MAX = 1024 * 1024
/** Names that stand for others: enough for routes that share a price, too few to fill memory. */
const ALIASES_MAX = 100

const listen = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):\d{1,5}$/, 'must be host:port')
  .transform((text) => {
    const at = text.lastIndexOf(':')
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
  })
  .refine(({ port }) => port <= 65_535, 'must be host:port')

const fileSchema = gatewaySettingsSchema.extend({
  /** Where the gateway answers. */
  listen,
  /** The service behind it. */
  upstream: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).transform((url) => new URL(url)),
  /** PostgreSQL for the ledger, in place of a file in the home folder. */
  database: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }).optional(),
  /** Files with PEM; without them something else ends TLS, or nothing does. */
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
})

export type GatewayFile = z.infer<typeof fileSchema>

/** Of what flows elsewhere: who pays says so at one path, and all of it has one price, for a bit. */
const tabSchema = gatewaySettingsSchema
  .omit({ routes: true, per: true, donation: true })
  .extend({ database: fileSchema.shape.database, price: priceSchema })
  .transform(({ price, pay, ...settings }) => ({
    ...settings,
    routes: [{ match: '/pay/*', per: 'bit' as const, price, pay }],
  }))

export type TabSettings = z.infer<typeof tabSchema>

/** @throws ERR_SETTINGS_INVALID naming the place */
export const parseSettingsFile = (content: Uint8Array, name: string): GatewayFile => parseAs(fileSchema, content, name)

/** @throws ERR_SETTINGS_INVALID naming the place */
export const parseTabSettings = (content: Uint8Array, name: string): TabSettings => parseAs(tabSchema, content, name)

const parseAs = <Value>(schema: z.ZodType<Value>, content: Uint8Array, name: string): Value => {
  let value: unknown
  try {
    value = parse(fromUtf8(content), { maxAliasCount: ALIASES_MAX, schema: 'core' })
  } catch (error) {
    const why = error instanceof YAMLError ? error.message.split('\n', 1)[0] : 'it is not UTF-8'
    throw new CommandError('ERR_SETTINGS_INVALID', `${name} is not YAML: ${why}`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new CommandError(
    'ERR_SETTINGS_INVALID',
    `in ${name}, ${issue?.path.join('.') || 'its content'}: ${issue?.message}`,
  )
}
