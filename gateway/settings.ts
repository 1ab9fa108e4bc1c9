/** What a service decides about its prices; with `listen` and `upstream` it is the file of `chrove gateway`. */
import { z } from 'zod'
import { costPerSchema } from '../protocol/payment-headers.ts'
import { VOUCHER_SECONDS_MAX } from './limits.ts'

const path = z
  .string()
  .max(1024)
  .regex(/^\/[\w./~-]*$/, 'must be a path')

/** Decimal, whole units of the currency; per bit also parts of its smallest. */
const amount = z
  .union([z.string(), z.number().transform(String)])
  .pipe(z.string().regex(/^\d{0,40}(\.\d{1,60})?$/, 'must be a decimal number'))
  .transform((text) => (text.startsWith('.') ? `0${text}` : text))

/** One amount for every currency, or one for each. */
export const priceSchema = z.union([z.literal('free'), amount, z.record(z.string().min(1).max(16), amount)])

const pricing = {
  price: priceSchema.optional(),
  per: costPerSchema.optional(),
  /** Names of `accounts` that are paid to. */
  pay: z.array(z.string()).min(1).max(16).optional(),
  /** The payer chooses how much; `price` is the least that gives access, and may be 0. */
  donation: z.boolean().optional(),
}

/** `GET /v1/:id`, `/images/*`: a method or all of them, and a path of which `:name` is one part and a last `*` any rest. */
const matchSchema = z
  .string()
  .regex(/^([A-Z]{1,16} )?\/\S{0,1023}$/, 'must be a path, or a method and a path')
  .refine((text) => !/\*./.test(text), 'may have * at its end only')

const routeSchema = z.strictObject({ match: matchSchema, ...pricing })

export const gatewaySettingsSchema = z.strictObject({
  /** Names by which clients reach the service, as `Host` has them. A voucher for any other is refused. */
  hosts: z
    .array(
      z
        .string()
        .min(1)
        .max(262)
        .transform((host) => host.toLowerCase()),
    )
    .min(1)
    .max(64),
  /** What clients use in front of the gateway: https where something else ends TLS. */
  scheme: z.enum(['http', 'https']).default('http'),
  /** Refund requests go there; `/vouchers` and `/usage` are its neighbours. */
  refundEndpoint: path.default('/refund'),
  voucherSecondsMax: z.int().min(60).max(VOUCHER_SECONDS_MAX).default(VOUCHER_SECONDS_MAX),
  /** The service's accounts by names of their own; each rail says what its entry holds. */
  accounts: z.record(
    z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
    z.looseObject({ scheme: z.enum(['channel', 'order', 'nano', 'x402']) }),
  ),
  /** Of routes that say nothing else. */
  ...pricing,
  /** The first that matches decides. */
  routes: z.array(routeSchema).max(1024).default([]),
  /** Gives back what is left of an account that nobody pays into any more, where the rail knows where to. */
  rest: z
    .strictObject({
      /** After the account was last told that its money is short. */
      afterSeconds: z.int().min(10).max(31_536_000),
      /** Whole units; less is kept until more comes. */
      minimum: amount,
    })
    .optional(),
})

export type GatewaySettings = z.infer<typeof gatewaySettingsSchema>
export type RouteSettings = z.infer<typeof routeSchema>
export type PriceSetting = z.infer<typeof priceSchema>
