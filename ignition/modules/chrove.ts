import { buildModule } from '@nomicfoundation/hardhat-ignition/modules'

/** Deploys a registry; its constructor deploys the Payments contract that belongs to it. */
export default buildModule('Chrove', (m) => {
  const registry = m.contract('VendorRegistry')
  const payments = m.contractAt('Payments', m.staticCall(registry, 'payments'))
  return { registry, payments }
})
