/** `chrove vendor serve`: runs the vendor until it is stopped. */
import type { Command } from 'commander'
import { serveHttp } from '../../effects/http-server.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { createNativeRsa } from '../../effects/rsa-node.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createVendor, type Vendor } from '../index.ts'
import { createNativeJose } from '../native-jose.ts'
import type { VendorSettings } from '../settings.ts'
import { openKeys, requireSettings } from './home.ts'

export const addServeCommand = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('serve')
    .description('answer buyers and run their proxies, until stopped')
    .addHelpText('after', '\nExample:\n  CHROVE_PASSPHRASE=… chrove vendor serve --home ./my-vendor')
    .action(action(serve, { logLevel: 'info' }))
}

const serve = async (session: Session): Promise<undefined> => {
  const settings = await requireSettings(session)
  const keys = await openKeys(session)
  const jose = createNativeJose(createNativeRsa(), session.effects.random)
  const vendor = await createVendor({ ...session.effects, jose }, settings, keys)
  try {
    await answer(session, settings, vendor)
  } finally {
    await vendor.close()
  }
}

const answer = async (session: Session, settings: VendorSettings, vendor: Vendor): Promise<void> => {
  const listener = await serveHttp((request) => vendor.fetch(request), settings.listen)
  const { chainId, registry, vendorId } = settings
  const uri = formatVendorUri({
    chainId: BigInt(chainId),
    registry: registry as `0x${string}`,
    vendorId: BigInt(vendorId),
  })
  const { host, port } = listener.address
  try {
    await session.print({
      json: { uri, listening: { host, port } },
      text: `${uri}\nListening on port ${port}; stop with Ctrl-C.`,
    })
    await vendor.run(session.signal)
  } finally {
    await listener.close()
  }
}
