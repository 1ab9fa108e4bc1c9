/** What can be asked; `schema.graphql` is this as the running server prints it, for readers and for comparing. */
export const typeDefs = `
scalar BigInt
scalar Bytes
scalar Bytes32
scalar Address

"What can be asked of the directory. Every answer is the state at the end of one block, but for what it found by probing."
type Query {
  "Vendors, active or not, that match all of the filter and hold every word of the search."
  vendors(
    "Conditions that all must hold."
    filter: VendorFilter
    "Words to find in title, description, service types, regions and titles of plans on sale: each must begin a word there, case and compatibility forms do not matter. At most 16 words and 256 characters."
    search: String
    "How to sort. When left out: by id; in a search those first that have its words in their titles, whole words before beginnings, unless each of its words may find 1,000 vendors and more."
    orderBy: VendorOrder
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): VendorConnection!

  "One vendor; null when there is none of this id."
  vendor(
    "The registry's id of the vendor."
    id: BigInt!
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): Vendor

  "Plans of all vendors that match all of the filter."
  plans(
    "Conditions that all must hold."
    filter: PlanFilter
    "How to sort; by vendor and plan id when left out."
    orderBy: PlanOrder
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): PlanConnection!

  "The order of a key for a plan; null when it was never bought."
  order(
    "The registry's id of the vendor."
    vendorId: BigInt!
    "The vendor's id of the plan."
    planId: Int!
    "The buyer's keyId."
    keyHash: Bytes32!
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): Order

  "Orders that match all of the filter."
  orders(
    "Conditions that all must hold."
    filter: OrderFilter
    "How to sort; by id when left out."
    orderBy: OrderOrder
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): OrderConnection!

  "Whatever has this id; null when nothing has."
  node(
    "An \`id\` from an earlier answer."
    id: ID!
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): Node

  "How many there are of what, and what was paid."
  stats(
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): Stats!

  "How far the directory is, and whether it can prove that it has missed nothing."
  _meta(
    "The block to answer for; the newest when left out."
    block: BlockInput
  ): Meta!
}

"""
What can be followed, over server-sent events (GraphQL over SSE, distinct connections). Each event comes exactly once,
with an id to go on from after a break: by \`after\` or the header \`Last-Event-ID\`. When a reorg undoes blocks, what was
told of them is told again with \`retracted: true\`, newest first.
"""
type Subscription {
  "Vendors that were registered or changed, plans included: once for each block that changes them."
  vendorChanged(
    "Conditions that all must hold."
    filter: VendorChangeFilter
    "The id of the last event that was seen, or \`_meta.resumeId\`; what comes from now on when left out."
    after: String
  ): VendorChange!

  "Purchases of orders, also those that extend one."
  orderPaid(
    "Conditions that all must hold."
    filter: OrderPaymentFilter
    "The id of the last event that was seen, or \`_meta.resumeId\`; what comes from now on when left out."
    after: String
  ): OrderPayment!
}

"A vendor is not as it was."
type VendorChange {
  "Names this event: to go on after it."
  id: String!
  "Whether a reorg undid the change."
  retracted: Boolean!
  "The registry's id of the vendor."
  vendorId: BigInt!
  "The vendor as the change left it; null when that was undone meanwhile, which is told next. Of a retracted change: the vendor as it is now, if it is there."
  vendor: Vendor
  "The change; the last one if its block has several of this vendor."
  evidence: Evidence!
}

"An order was paid."
type OrderPayment {
  "Names this event: to go on after it."
  id: String!
  "Whether a reorg undid the payment."
  retracted: Boolean!
  "The contract's id of the order."
  orderId: Bytes32!
  "The order at the end of the payment's block; null when that was undone meanwhile, which is told next. Of a retracted payment: the order as it is now, if it is there."
  order: Order
  "The vendor's id in the registry."
  vendorId: BigInt!
  "The vendor's id of the plan."
  planId: Int!
  "The buyer's keyId."
  keyHash: Bytes32!
  "What was paid with: an ERC-20 contract, or null for the chain's native coin."
  token: Address
  "Account that may cancel, if any."
  controller: Address
  "Periods of this purchase."
  periods: BigInt!
  "When the run began that it belongs to, unix seconds."
  startedAt: BigInt!
  "When the paid time ends now, unix seconds."
  endsAt: BigInt!
  "What was paid, in the token's smallest units."
  amount: BigInt!
  "The payment."
  evidence: Evidence!
}

"Conditions on changes of vendors."
input VendorChangeFilter {
  "Of these vendors; at most 100."
  ids: [BigInt!]
  "The vendor names this service type, before the change or after it."
  serviceType: String
  "The vendor names this region, before the change or after it."
  region: String
}

"Conditions on payments."
input OrderPaymentFilter {
  "To this vendor."
  vendorId: BigInt
  "For the plan with this id; with \`vendorId\`."
  planId: Int
  "In the name of one of these keys; at most 100."
  keyHashes: [Bytes32!]
  "In this token; the zero address is the native coin."
  token: Address
}

"Chooses the block to answer for: exactly one field is given."
input BlockInput @oneOf {
  "The block with this number."
  number: Int
  "The block with this hash, as long as it has not been replaced."
  hash: Bytes32
  "The newest block, and an error unless its number is at least this: to read what one has just written."
  numberGte: Int
}

"Something that can be fetched by its id."
interface Node {
  "Names this object among all; stays the same for as long as the object exists."
  id: ID!
}

"A block of the chain."
type Block {
  "How many blocks come before it."
  number: Int!
  "Hash of its header."
  hash: Bytes32!
  "Unix seconds."
  timestamp: BigInt!
}

"Where on chain something is written, so that anyone can check it."
type Evidence {
  "Number of the block."
  blockNumber: Int!
  "Hash of the block."
  blockHash: Bytes32!
  "Hash of the transaction."
  transactionHash: Bytes32!
  "Position of the log among all logs of the block."
  logIndex: Int!
  "Whether the block can no longer be replaced."
  finalized: Boolean!
}

"A string that somebody wrote on chain."
type Text {
  "The string with everything taken out that could harm a terminal or mislead a reader; still anybody's words."
  text: String!
  "The string's bytes as they are on chain."
  bytes: Bytes!
}

"What a vendor says of itself. All of it is the vendor's own word."
type Profile {
  "Whether the profile is JSON of the known shape; otherwise the fields made from it are empty."
  valid: Boolean!
  "The vendor's name; empty when it gives none."
  title: String!
  "What it offers, in its words."
  description: String!
  "Address of a picture, or the picture itself as a data URL; fetching it tells its host who looks."
  logo: String!
  "What kinds of service it sells, such as \`proxy\`, \`api\`, \`relay\` or \`rendezvous\`; sorted."
  serviceTypes: [String!]!
  "Where its service comes from; sorted."
  regions: [String!]!
  "The whole profile."
  raw: Text!
}

"Somebody who sells, as the registry has it."
type Vendor implements Node {
  "Names this vendor among all objects of this directory."
  id: ID!
  "The vendor's name on any chain: \`chrove:eip155:<chain id>:<registry>/<vendor id>\`."
  uri: String!
  "The registry's id of the vendor; counts from 1."
  vendorId: BigInt!
  "Counts the vendor's changes from 1."
  version: Int!
  "Account that may change everything."
  owner: Address!
  "Account that ownership is offered to, if any."
  pendingOwner: Address
  "Account that may change all but owner and payout, if any."
  operator: Address
  "Account that money goes to."
  payout: Address!
  "Whether the vendor takes new orders."
  active: Boolean!
  "RFC 7638 SHA-256 thumbprint of the key that signs price documents."
  signingKey: Bytes32!
  "RFC 7638 SHA-256 thumbprint of the key that requests are encrypted to."
  encryptionKey: Bytes32!
  "Where the vendor answers, in its order of preference."
  endpoints: [Text!]!
  "What the vendor says of itself."
  profile: Profile!
  "How many plans it has ever had; their ids are 1 to this number."
  planCount: Int!
  "Block of its registration."
  createdBlock: Int!
  "How many orders it ever had."
  orderCount: Int!
  "What was paid to it, one entry for each token it was paid in; most orders first, at most 100."
  volumes(
    "Only these tokens, at most 100; the zero address is the native coin."
    tokens: [Address!]
  ): [Volume!]!
  "Its plans, on sale or not."
  plans(
    "Conditions that all must hold; \`vendorId\` is not needed here."
    filter: PlanFilter
    "How to sort; by id when left out."
    orderBy: PlanOrder
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
  ): PlanConnection!
  "What came of asking its endpoints, in their order; those not asked yet are left out. The same whatever the block."
  probes: [Probe!]!
  "Share of the time that one of its endpoints was verified, 0 to 1: the mean of the last 30 days on which it was asked; null before the first time."
  uptime: Float
  "What it was before and is now: one version for each block that changed it, up to the block that is answered for."
  history(
    "\`DESC\`: newest first."
    direction: Direction! = DESC
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
  ): VendorVersionConnection!
  "Its last change."
  evidence: Evidence!
}

"What came of asking an endpoint for its price document: observed by this directory, from where it is; not on chain."
type Probe {
  "The endpoint, as it is registered."
  endpoint: Text!
  "Whether it answered with HTTP status 200 when it was last asked."
  reachable: Boolean!
  "Whether its last answer was a price document to be trusted: fresh, signed by the registered keys, with the registered terms."
  verified: Boolean!
  "Why it is not verified: a code that does not change, such as \`ERR_NETWORK_TIMEOUT\`, \`ERR_HTTP_404\` or \`ERR_PRICE_TERMS\`; null when it is."
  code: String
  "From the question to the end of the answer, in milliseconds; null when there was no answer."
  latencyMs: Int
  "When it was last asked, unix seconds."
  triedAt: BigInt!
  "When it was last verified, unix seconds; null if never."
  seenAt: BigInt
  "Share of the time that it was verified, 0 to 1: the mean of the last 30 days on which it was asked."
  uptime: Float!
}

"What can be bought of a vendor; its terms never change."
type Plan implements Node {
  "Names this plan among all objects of this directory."
  id: ID!
  "The vendor's id of the plan; counts from 1."
  planId: Int!
  "Who sells it."
  vendor: Vendor!
  "What the plan is called."
  title: Text!
  "ERC-20 contract the price is in; null for the chain's native coin."
  token: Address
  "Price of one period in the token's smallest units."
  price: BigInt!
  "Length of a period in seconds."
  periodSeconds: Int!
  "Price of 86,400 seconds in the token's smallest units, rounded up: for comparing plans of different periods."
  pricePerDay: BigInt!
  "How many periods may be paid ahead, counted from now."
  maxPeriods: Int!
  "How the money reaches the vendor."
  settlement: Settlement!
  "Whether the vendor offers the plan; it can be bought when the vendor is active too."
  onSale: Boolean!
  "Block in which it was added."
  createdBlock: Int!
  "What it was before and is now: one version for each block that changed it, up to the block that is answered for."
  history(
    "\`DESC\`: newest first."
    direction: Direction! = DESC
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
  ): PlanVersionConnection!
  "Its last change."
  evidence: Evidence!
}

"How the money of an order reaches the vendor."
enum Settlement {
  "All at once; nothing can be returned."
  INSTANT
  "Second by second; what is not yet earned is returned on cancellation."
  STREAMED
}

"Time of a plan bought in the name of a key."
type Order implements Node {
  "Names this order among all objects of this directory."
  id: ID!
  "The contract's id: keccak256(abi.encode(vendorId, planId, keyHash))."
  orderId: Bytes32!
  "Who sells; null only when a log is missing, which \`_meta.completeness\` then shows."
  vendor: Vendor
  "The vendor's id in the registry."
  vendorId: BigInt!
  "What was bought; null only when a log is missing, which \`_meta.completeness\` then shows."
  plan: Plan
  "The vendor's id of the plan."
  planId: Int!
  "The buyer's keyId: SHA-256(SHA-256(ASCII of the JWK's \`n\`))."
  keyHash: Bytes32!
  "What amounts are in: the plan's ERC-20 contract, or null for the chain's native coin."
  token: Address
  "Account that may cancel, if any."
  controller: Address
  "Whether the time goes on at the block that is answered for, by that block's own time."
  status: OrderStatus!
  "When the current run began, unix seconds."
  startedAt: BigInt!
  "When the paid time ends, unix seconds; for a cancelled order when it was cancelled."
  endsAt: BigInt!
  "Periods paid for in the current run."
  periods: BigInt!
  "All that was ever paid for this order, in the plan's token's smallest units."
  paid: BigInt!
  "All that cancellations returned."
  refunded: BigInt!
  "All that the vendor has withdrawn."
  withdrawn: BigInt!
  "Block in which it was first bought."
  createdBlock: Int!
  "What it was before and is now: one version for each block that changed it, up to the block that is answered for."
  history(
    "\`DESC\`: newest first."
    direction: Direction! = DESC
    "At most this many from the start, 1 to 100; 20 when neither \`first\` nor \`last\` is given."
    first: Int
    "Only what comes after this cursor."
    after: String
    "At most this many from the end, 1 to 100."
    last: Int
    "Only what comes before this cursor."
    before: String
  ): OrderVersionConnection!
  "Its last change."
  evidence: Evidence!
}

"Where an order stands at the time of the block that is answered for."
enum OrderStatus {
  "Paid until later than that block."
  RUNNING
  "Its time is over."
  ENDED
  "Its controller ended it early."
  CANCELLED
}

"Conditions on vendors."
input VendorFilter {
  "One of these ids; at most 100."
  ids: [BigInt!]
  "Takes new orders, or does not."
  active: Boolean
  "Owned by this account."
  owner: Address
  "Names this service type, such as \`proxy\`."
  serviceType: String
  "Names this region."
  region: String
  "One of its endpoints answered when it was last asked, or none did. Not to be asked where the directory does not probe."
  reachable: Boolean
  "One of its endpoints is verified, or none is: see \`Probe\`. Not to be asked where the directory does not probe."
  verified: Boolean
  "Has a plan that meets all these conditions together; to be bought it must be on sale and the vendor active."
  plan: PlanFilter
}

"Conditions on plans."
input PlanFilter {
  "Of this vendor."
  vendorId: BigInt
  "Offered by its vendor, or withdrawn from sale."
  onSale: Boolean
  "Its price is in this token; the zero address is the native coin."
  token: Address
  "Settled this way."
  settlement: Settlement
  "Costs at most this much per 86,400 seconds; compares within \`token\`, which must be given too."
  maxPricePerDay: BigInt
}

"Conditions on orders."
input OrderFilter {
  "Of this vendor."
  vendorId: BigInt
  "Of the plan with this id; with \`vendorId\`."
  planId: Int
  "Bought in the name of one of these keys; at most 100."
  keyHashes: [Bytes32!]
  "Can be cancelled by this account."
  controller: Address
  "Paid in this token; the zero address is the native coin."
  token: Address
  "Stands so at the time of the block that is answered for."
  status: OrderStatus
}

"From small to large or from large to small."
enum Direction {
  "Smallest, oldest or cheapest first."
  ASC
  "Largest, newest or dearest first."
  DESC
}

"How to sort vendors; equal ones are sorted by id."
input VendorOrder {
  "What to sort by."
  field: VendorOrderField! = ID
  "Which end comes first."
  direction: Direction! = ASC
  "The token that volumes are in, for \`VOLUME\`; the zero address is the native coin."
  token: Address
}

"What vendors can be sorted by."
enum VendorOrderField {
  "By id."
  ID
  "By age: in the order of registration, which is that of ids."
  CREATED
  "By the block of the last change."
  CHANGED
  "By the cheapest day among the plans that meet \`filter.plan\`, which must name a token; vendors without are left out."
  PRICE
  "By \`uptime\`, as it is now whatever the block; those never asked count as 0."
  UPTIME
  "By what was paid to it and not refunded in \`token\`, which must be given; vendors that were never paid in it are left out."
  VOLUME
}

"How to sort plans; equal ones are sorted by vendor and plan id."
input PlanOrder {
  "What to sort by."
  field: PlanOrderField! = ID
  "Which end comes first."
  direction: Direction! = ASC
}

"What plans can be sorted by."
enum PlanOrderField {
  "By vendor id, then plan id."
  ID
  "By age: the block in which it was added."
  CREATED
  "By the block of the last change."
  CHANGED
  "By the price of a day; \`filter.token\` must be given."
  PRICE
}

"How to sort orders; equal ones are sorted by id."
input OrderOrder {
  "What to sort by."
  field: OrderOrderField! = ID
  "Which end comes first."
  direction: Direction! = ASC
}

"What orders can be sorted by."
enum OrderOrderField {
  "By order id: no meaning, but always the same."
  ID
  "By the block of the last change."
  CHANGED
  "By the start of the current run."
  STARTED_AT
  "By the end of the paid time."
  ENDS_AT
}

"Where a page lies in its list. @see Relay cursor connections."
type PageInfo {
  "Whether there is more after this page."
  hasNextPage: Boolean!
  "Whether there is more before this page."
  hasPreviousPage: Boolean!
  "Cursor of the first edge; null on an empty page."
  startCursor: String
  "Cursor of the last edge; null on an empty page."
  endCursor: String
}

"A page of vendors."
type VendorConnection {
  "The vendors of this page, each with its place."
  edges: [VendorEdge!]!
  "The vendors of this page."
  nodes: [Vendor!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"A vendor with its place in a list."
type VendorEdge {
  "Marks the place, for \`after\` and \`before\` with the same order."
  cursor: String!
  "The vendor."
  node: Vendor!
}

"A page of plans."
type PlanConnection {
  "The plans of this page, each with its place."
  edges: [PlanEdge!]!
  "The plans of this page."
  nodes: [Plan!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"A plan with its place in a list."
type PlanEdge {
  "Marks the place, for \`after\` and \`before\` with the same order."
  cursor: String!
  "The plan."
  node: Plan!
}

"A page of orders."
type OrderConnection {
  "The orders of this page, each with its place."
  edges: [OrderEdge!]!
  "The orders of this page."
  nodes: [Order!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"An order with its place in a list."
type OrderEdge {
  "Marks the place, for \`after\` and \`before\` with the same order."
  cursor: String!
  "The order."
  node: Order!
}

"A vendor as it stood for some time."
type VendorVersion {
  "The vendor as it stood; what hangs on it is as it was at the end of \`fromBlock\`."
  vendor: Vendor!
  "The block that made it so: from its end on the vendor stood so."
  fromBlock: Int!
  "The block that changed it: from its end on the vendor stood so no more. Null if it still does at the block that is answered for."
  toBlock: Int
  "The change that made it so; the last one if its block has several."
  evidence: Evidence!
}

"A page of versions of a vendor."
type VendorVersionConnection {
  "The versions of this page, each with its place."
  edges: [VendorVersionEdge!]!
  "The versions of this page."
  nodes: [VendorVersion!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"A version of a vendor with its place in the history."
type VendorVersionEdge {
  "Marks the place, for \`after\` and \`before\` with the same direction."
  cursor: String!
  "The version."
  node: VendorVersion!
}

"A plan as it stood for some time."
type PlanVersion {
  "The plan as it stood; what hangs on it is as it was at the end of \`fromBlock\`."
  plan: Plan!
  "The block that made it so: from its end on the plan stood so."
  fromBlock: Int!
  "The block that changed it: from its end on the plan stood so no more. Null if it still does at the block that is answered for."
  toBlock: Int
  "The change that made it so; the last one if its block has several."
  evidence: Evidence!
}

"A page of versions of a plan."
type PlanVersionConnection {
  "The versions of this page, each with its place."
  edges: [PlanVersionEdge!]!
  "The versions of this page."
  nodes: [PlanVersion!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"A version of a plan with its place in the history."
type PlanVersionEdge {
  "Marks the place, for \`after\` and \`before\` with the same direction."
  cursor: String!
  "The version."
  node: PlanVersion!
}

"An order as it stood for some time."
type OrderVersion {
  "The order as it stood; what hangs on it is as it was at the end of \`fromBlock\`."
  order: Order!
  "The block that made it so: from its end on the order stood so."
  fromBlock: Int!
  "The block that changed it: from its end on the order stood so no more. Null if it still does at the block that is answered for."
  toBlock: Int
  "The change that made it so; the last one if its block has several."
  evidence: Evidence!
}

"A page of versions of an order."
type OrderVersionConnection {
  "The versions of this page, each with its place."
  edges: [OrderVersionEdge!]!
  "The versions of this page."
  nodes: [OrderVersion!]!
  "Where the page lies."
  pageInfo: PageInfo!
  "How many there are on all pages."
  totalCount: Int!
}

"A version of an order with its place in the history."
type OrderVersionEdge {
  "Marks the place, for \`after\` and \`before\` with the same direction."
  cursor: String!
  "The version."
  node: OrderVersion!
}

"How many there are of what at a block, and what was paid until then."
type Stats {
  "The block that is answered for."
  block: Block!
  "Vendors ever registered."
  vendors: Int!
  "Vendors that take new orders."
  activeVendors: Int!
  "Plans ever added."
  plans: Int!
  "Plans that their vendors offer, active or not."
  plansOnSale: Int!
  "Orders ever bought; buying again for the same key and plan makes no new one."
  orders: Int!
  "Orders that are paid until later than the block and not cancelled."
  runningOrders: Int!
  "What was paid to all vendors, one entry for each token; most orders first, at most 100."
  volumes(
    "Only these tokens, at most 100; the zero address is the native coin."
    tokens: [Address!]
  ): [Volume!]!
}

"What was paid for orders in one token, in its smallest units."
type Volume {
  "The ERC-20 contract; null for the chain's native coin."
  token: Address
  "How many orders are of plans with a price in it."
  orders: Int!
  "All that was ever paid."
  paid: BigInt!
  "All that was returned to buyers."
  refunded: BigInt!
  "All that vendors have withdrawn."
  withdrawn: BigInt!
  "Paid and not refunded."
  volume: BigInt!
}

"What the directory is about and how far it is."
type Meta {
  "Chain that is followed, by EIP-155."
  chainId: BigInt!
  "The followed VendorRegistry."
  registry: Address!
  "The followed Payments contract."
  payments: Address!
  "The block that is answered for."
  block: Block!
  "The newest block that can no longer be replaced; null while none is known."
  finalized: Block
  "For \`after\` of a subscription that goes on from this answer, without a hole; null when it is not for the newest block."
  resumeId: String
  "How much older the newest block here is than now, in seconds."
  lagSeconds: BigInt!
  "Whether every log up to the block that is answered for was seen."
  completeness: Completeness!
}

"What the chain's own counters say: vendor and plan ids count without holes, and so do every vendor's changes."
type Completeness {
  "Whether all counters go on without a hole."
  complete: Boolean!
  "How many holes or repetitions were found."
  gapCount: Int!
  "The earliest of them; null when there is none."
  firstGap: Gap
  "Logs of the followed contracts that are none of their events."
  undecodableLogs: Int!
}

"A place where a counter did not go on as it must."
type Gap {
  "Which counter: \`vendor-id\`, \`vendor-version\`, \`plan-id\`; or what was never announced: \`unknown-vendor\`, \`unknown-plan\`, \`unknown-order\`."
  kind: String!
  "What the counter belongs to: a vendor's number, an order id, or \`registry\`."
  subject: String!
  "What the counter had to be."
  expected: BigInt!
  "What it was."
  found: BigInt!
  "The log that shows it."
  evidence: Evidence!
}
`
